// The page that reads lines, with the real recogniser: at 8 bits it reads what it reads at float32.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { alphabetOf } from '../../examples/read/recognise.js';
import { makeSite } from '../../examples/read/site.mjs';
import { openPage } from './chromium.mjs';
import { inputsOf, lines, missingFamilies } from './read_lines.mjs';
import { exportModel, readInOnnxRuntime } from './read_oracle.mjs';
import { openRead, readings, readLine } from './read_page.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const subbyte = process.env.SUBBYTE ?? path.join(root, 'build', 'subbyte');
const models = process.env.SUBBYTE_MODELS ?? path.join(root, '.cache', 'models');

let folder;
let site;

before(
  async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'subbyte-read-'));
    await makeSite(path.join(folder, 'site'), { subbyte, models });
    site = await openRead(path.join(folder, 'site'));
  },
  { timeout: 400_000 },
);

after(async () => {
  await site?.close();
  await rm(folder, { recursive: true, force: true });
});

test('fifty clear lines read the same at 8 bits as at float32', async () => {
  assert.deepEqual(await missingFamilies(site.page), [], 'fonts of tools/dev/apt-packages.txt');
  const files = [
    path.join(models, 'ppocr-rec.onnx'),
    await exportModel({ subbyte, models, folder, precision: '8bit' }),
  ];
  const alphabet = alphabetOf(await readFile(path.join(models, 'ppocr-keys.txt'), 'utf8'));
  const inputs = await inputsOf(site.page, '/');
  const [float32, eightBits] = await readInOnnxRuntime({ inputs, files, alphabet, folder });
  const texts = (answers) => answers.map((answer) => answer.text);
  assert.equal(float32.length, 50);
  assert.deepEqual(texts(eightBits), texts(float32));
  // Or else two that read nothing would agree.
  const wrong = lines.filter((line, index) => line.text !== float32[index].text);
  assert.ok(wrong.length <= 2, JSON.stringify(wrong));
});

for (const line of ['Total: $1,284.50', '今天天气很好']) {
  test(`the page reads '${line}' with both modules`, { timeout: 200_000 }, async () => {
    const { float32, '8bit': eightBits, summary } = await readLine(site.page, line);
    assert.equal(float32.text, line);
    assert.equal(eightBits.text, line);
    assert.equal(summary, 'Both read the same.');
    for (const { sure } of [float32, eightBits]) {
      assert.match(sure, /^(9\d|100)\.\d % sure · [\d.]+ m?s$/);
    }
  });
}

test('the page reads the image of a line', { timeout: 200_000 }, async () => {
  const image = await site.page.evaluate(async () => {
    const { drawLine } = await import('/draw.js');
    return drawLine('Platform 9', { font: '700 {} serif', size: 70 }).toDataURL('image/png');
  });
  await site.page.setInputFiles('#image', {
    name: 'platform.png',
    mimeType: 'image/png',
    buffer: Buffer.from(image.slice(image.indexOf(',') + 1), 'base64'),
  });
  const { float32, '8bit': eightBits } = await readings(site.page, 'platform.png');
  assert.equal(float32.text, 'Platform 9');
  assert.equal(eightBits.text, 'Platform 9');
});

test('the page tells the sizes, asks for its own files and complains of nothing', async () => {
  const sizes = await site.page.$$eval('.reading .size', (all) =>
    all.map((one) => one.textContent),
  );
  assert.deepEqual(sizes, ['10.8 MB', '2.9 MB']);
  assert.deepEqual(site.complaints, []);
  assert.deepEqual(
    site.requests.map((name) => name.replace(/-[0-9a-f]+\.bin$/, '-HASH.bin')).sort(),
    [
      '/',
      '/draw.js',
      '/keys.txt',
      '/look.css',
      '/page.js',
      '/read-8bit.webgpu-HASH.bin',
      '/read-8bit.webgpu.js',
      '/read-8bit.webgpu.json',
      '/read-float32.webgpu-HASH.bin',
      '/read-float32.webgpu.js',
      '/read-float32.webgpu.json',
      '/read.css',
      '/read.js',
      '/recognise.js',
    ],
  );
});

test('what is no image is refused in plain words', async () => {
  await site.page.setInputFiles('#image', {
    name: 'notes.txt',
    mimeType: 'text/plain',
    buffer: Buffer.from('no pixels'),
  });
  await site.page.waitForSelector('#loading.failed:not([hidden])');
  assert.equal(
    await site.page.textContent('#status'),
    "'notes.txt' is not an image that this browser can open.",
  );
});

test('an image too long for its height is refused', async () => {
  const image = await site.page.evaluate(() => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [900, 10];
    return canvas.toDataURL('image/png');
  });
  await site.page.setInputFiles('#image', {
    name: 'long.png',
    mimeType: 'image/png',
    buffer: Buffer.from(image.slice(image.indexOf(',') + 1), 'base64'),
  });
  await site.page.waitForFunction(
    (text) => document.getElementById('status').textContent === text,
    'A line may be 85 times as wide as it is high; this image is 900 x 10.',
  );
});

test('without WebGPU the page says so in plain words', async () => {
  const { page } = await openPage(site.browser);
  await page.addInitScript(() => Object.defineProperty(navigator, 'gpu', { value: undefined }));
  await page.goto(site.url);
  await page.waitForSelector('#loading.failed');
  assert.match(await page.textContent('#status'), /^This browser has no WebGPU\./);
  assert.ok(await page.isDisabled('#line'));
  await page.close();
});
