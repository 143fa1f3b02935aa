// The playground in headless Chromium: a model is looked at, converted and run there, and the bytes are the program's own.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { makeSite } from '../../examples/playground/site.mjs';
import { takeScreenshots } from '../../tools/dev/demo_screenshots.mjs';
import { openExample } from '../browser/example_page.mjs';
import { root } from './library.mjs';

const { SUBBYTE: subbyte, SUBBYTE_MODELS: models, SUBBYTE_PACKAGE: pack } = process.env;
const skip = pack === undefined && 'SUBBYTE_PACKAGE names no package: ./dev test npm makes one';

let folder;
let site;

before(
  async () => {
    if (skip) return;
    folder = await mkdtemp(path.join(tmpdir(), 'subbyte-playground-'));
    execFileSync('tar', ['xzf', path.resolve(pack), '-C', folder]);
    const sample = path.join(models, 'ppocr-cls.onnx');
    await copyFile(sample, path.join(folder, 'sample.onnx'));
    await makeSite(path.join(folder, 'site'), { npm: path.join(folder, 'package'), sample });
    site = await openExample(path.join(folder, 'site'));
  },
  { timeout: 400_000 },
);

after(async () => {
  await site?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const shown = (id) => site.page.waitForSelector(`#${id}:not([hidden])`, { timeout: 300_000 });

test('the sample shows its inputs, components and size', { skip, timeout: 300_000 }, async () => {
  await site.page.click('#sample');
  await shown('model');
  const text = await site.page.textContent('#model .body');
  assert.match(text, /127,220 weights, 0\.5 MB/);
  assert.match(text, /x float32 \[.*3, .*\]/);
  assert.match(text, /convolution/);
  assert.ok(await site.page.isEnabled('#convert'));
});

test(
  'a module made in the page is the one that the program writes',
  { skip, timeout: 600_000 },
  async () => {
    const { page } = site;
    await page.selectOption('#precision', '4bit');
    await page.click('#convert');
    await shown('result');
    const names = await page.$$eval('#downloads a', (links) => links.map((link) => link.download));
    assert.equal(names[0], 'sample.webgpu.js');
    const source = path.join(folder, 'sample.onnx');
    execFileSync(subbyte, ['convert', source, '--precision', '4bit', '--effort', 'fast'], {
      stdio: 'pipe',
    });
    for (const [index, name] of names.entries()) {
      const bytes = await page.evaluate(async (at) => {
        const link = document.querySelectorAll('#downloads a')[at];
        return [...new Uint8Array(await (await fetch(link.href)).arrayBuffer())];
      }, index);
      assert.ok(Buffer.from(bytes).equals(await readFile(path.join(folder, name))), name);
    }
    assert.match(await page.textContent('#check'), /differ from the model's by [\d.]+ %/);
  },
);

test('the weights can be sorted by any column', { skip }, async () => {
  const { page } = site;
  await page.click('#result summary');
  const column = () =>
    page.$$eval('#weights tbody tr', (rows) => rows.map((row) => Number(row.cells[3].textContent)));
  await page.click('#weights th:nth-child(4) button');
  const up = await column();
  assert.deepEqual(
    up,
    [...up].sort((a, b) => a - b),
  );
  await page.click('#weights th:nth-child(4) button');
  assert.deepEqual(
    await column(),
    [...up].sort((a, b) => b - a),
  );
  assert.ok(new Set(up).size > 1);
});

test('the module runs beside the model at float32', { skip, timeout: 600_000 }, async () => {
  const { page } = site;
  await shown('run');
  await page.click('#inputs > button');
  await page.waitForSelector('#outputs .card, #loading.failed', { timeout: 500_000 });
  assert.match(await page.textContent('#outputs'), /[\d.]+ % from float32 \(relative L2\)/);
});

test(
  'what is no model is refused in plain words, and the page goes on',
  { skip, timeout: 300_000 },
  async () => {
    const { page } = site;
    const give = (name, text) =>
      page.setInputFiles('#files', { name, mimeType: '', buffer: Buffer.from(text) });
    await give('notes.txt', 'hello');
    await page.waitForSelector('#loading.failed');
    assert.match(await page.textContent('#status'), /its name must end in \.onnx/);
    await give('broken.onnx', 'hello');
    await page.waitForFunction(() =>
      /broken\.onnx/.test(document.getElementById('status').textContent),
    );
    assert.ok(await page.isHidden('#model'));
    await page.click('#sample');
    await shown('model');
  },
);

test('widths are chosen for a size', { skip, timeout: 600_000 }, async () => {
  const { page } = site;
  assert.ok(await page.isHidden('#size'));
  await page.selectOption('#precision', 'size');
  await page.fill('#size', '100kB');
  await page.click('#convert');
  await shown('result');
  const facts = await page.textContent('#facts');
  const [, kilobytes] = /Weights(\d+) kB/.exec(facts);
  assert.ok(kilobytes > 85 && kilobytes <= 100, facts);
  await page.selectOption('#precision', '4bit');
  assert.ok(await page.isHidden('#size'));
});

test(
  'nothing is wider than a phone, in either scheme, and it can be looked at',
  { skip },
  async () => {
    const { page } = site;
    await page.evaluate(() => document.querySelector('#result details').setAttribute('open', ''));
    await page.setViewportSize({ width: 390, height: 844 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    const pictures = path.join(root, 'build', 'demo', 'playground');
    await mkdir(pictures, { recursive: true });
    await takeScreenshots(page, pictures, 'playground');
  },
);

test('a conversion can be cancelled', { skip, timeout: 300_000 }, async () => {
  const { page } = site;
  await page.selectOption('#precision', '3bit');
  await page.click('#convert');
  await page.click('#cancel');
  await page.waitForSelector('#loading[hidden]', { state: 'attached' });
  assert.ok(await page.isHidden('#result'));
  assert.ok(await page.isEnabled('#convert'));
});

test('nothing was asked for but files of the page, and nothing complained', { skip }, () => {
  const unknown = site.requests.filter((name) => !/^\/(subbyte\/)?[\w./-]*$/.test(name));
  assert.deepEqual(unknown, []);
  // The runtime warns of nothing; a model that is refused is an error of the page's own console.
  const others = site.complaints.filter((text) => !/must end in|broken\.onnx/.test(text));
  assert.deepEqual(others, []);
});
