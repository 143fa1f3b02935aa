// The example page in headless Chromium, with the real encoder at 4 bits: it finds what a person means.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { passagesOfText } from '../../examples/search/passages.js';
import { makeSite } from '../../examples/search/site.mjs';
import { launch, openPage } from './chromium.mjs';
import { ask, facts, openSearch, passageVectors } from './search_page.mjs';
import { serve } from './server.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const subbyte = process.env.SUBBYTE ?? path.join(root, 'build', 'subbyte');
const models = process.env.SUBBYTE_MODELS ?? path.join(root, '.cache', 'models');

const expected = [
  ['calming down before an exam', 'Slow breathing'],
  ['insects that carry heavy things', 'Ants carry loads'],
  ['how to remember new words', 'You remember new vocabulary'],
  ['my door sticks when it is humid', 'A door that sticks in summer'],
  ['medicine against bacteria', 'Antibiotics work against bacteria'],
  ['the moon causes high water', 'The tides follow the pull'],
  ['fake emails from a bank', 'Phishing mails copy'],
  ['my bread does not rise', 'Let bread dough rise'],
];

let count = 0;

// For a software GPU's sake: the passages that the queries are after, and every fourth of the others.
async function keepSome(file) {
  const kept = [];
  for (const [number, line] of (await readFile(file, 'utf8')).split('\n').entries()) {
    const wanted = expected.some(([, beginning]) => line.startsWith(beginning));
    const topic = line.startsWith('# ');
    if (!topic && !wanted && number % 4) continue;
    kept.push(line);
    if (!topic && line.trim()) count++;
  }
  await writeFile(file, kept.join('\n'));
}

let folder;
let search;

before(
  async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'subbyte-search-'));
    await makeSite(folder, { subbyte, models });
    await keepSome(path.join(folder, 'passages.txt'));
    search = await openSearch(folder);
  },
  { timeout: 400_000 },
);

after(async () => {
  await search?.close();
  await rm(folder, { recursive: true, force: true });
});

for (const [query, beginning] of expected) {
  test(`'${query}' finds '${beginning} ...'`, async () => {
    const { hits, summary } = await ask(search.page, query);
    assert.equal(hits.length, 5);
    assert.ok(
      hits[0].text.startsWith(beginning),
      `found: ${hits.map((hit) => hit.text).join('\n')}`,
    );
    assert.match(summary, new RegExp(`^${count} passages searched in [\\d.]+ m?s$`));
    for (let i = 1; i < hits.length; i++) assert.ok(hits[i - 1].score >= hits[i].score);
    assert.ok(hits[0].score <= 1);
  });
}

test('the page tells the sizes, and nothing complained', async () => {
  const told = await facts(search.page);
  assert.equal(told.Precision, '4bit');
  assert.equal(told.Before, '69.1 MB');
  assert.ok(count > 50);
  assert.ok(parseFloat(told.Model) < 69.1 / 6, told.Model);
  assert.ok(parseFloat(told['Bits per weight']) < 4.95, told['Bits per weight']);
  assert.deepEqual(search.complaints, []);
});

test('the page asks for its own files and nothing else', () => {
  assert.deepEqual(
    search.requests.map((name) => name.replace(/-[0-9a-f]+\.bin$/, '-HASH.bin')).sort(),
    [
      '/',
      '/encoder.js',
      '/look.css',
      '/minilm.webgpu-HASH.bin',
      '/minilm.webgpu.js',
      '/minilm.webgpu.json',
      '/page.js',
      '/passages.js',
      '/passages.txt',
      '/search.css',
      '/search.js',
      '/tokenizer.js',
      '/vocabulary.json',
    ],
  );
});

test('every passage has a vector of length 1', async () => {
  const vectors = await passageVectors(search.page);
  assert.equal(vectors.length, count);
  for (const vector of vectors) {
    assert.equal(vector.length, 384);
    assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5);
  }
});

test('a text of the visitor is searched instead, and the example comes back', async () => {
  const { page } = search;
  await page.click('#own summary');
  await page.fill('#own-text', 'The cat sleeps.\n\nThe train leaves at noon.\nBread needs flour.');
  await page.click('#own-button');
  await page.waitForSelector('#own-back:not([hidden])');
  const { hits, summary } = await ask(page, 'a vehicle on rails');
  assert.equal(hits[0].text, 'The train leaves at noon.');
  assert.equal(hits[0].topic, 'line 3');
  assert.match(summary, /^3 passages /);
  await page.click('#own-back');
  await page.waitForSelector('#own-back[hidden]', { state: 'attached' });
  const back = await ask(page, expected[0][0]);
  assert.ok(back.hits[0].text.startsWith(expected[0][1]), back.hits[0].text);
});

test('a text is cut into lines, and long lines between sentences', () => {
  assert.deepEqual(
    passagesOfText(' One.\r\n\r\nTwo. ').map(({ text }) => text),
    ['One.', 'Two.'],
  );
  const long = passagesOfText(`${'A sentence of words. '.repeat(50)}`);
  assert.ok(long.length > 1 && long.every(({ text }) => text.length <= 400 && text.endsWith('.')));
  assert.equal(passagesOfText('x'.repeat(1000)).length, 1);
  assert.deepEqual(passagesOfText(' \n'), []);
});

test('markup in a query stays text', async () => {
  const { hits } = await ask(search.page, '<img src=x onerror="globalThis.pwned = 1">');
  assert.equal(hits.length, 5);
  assert.equal(await search.page.evaluate(() => globalThis.pwned), undefined);
});

test('without WebGPU the page says so in plain words', async () => {
  const server = await serve({ '/': folder });
  const browser = await launch();
  try {
    const { page } = await openPage(browser);
    await page.addInitScript(() => Object.defineProperty(navigator, 'gpu', { value: undefined }));
    await page.goto(server.url);
    await page.waitForSelector('#loading.failed');
    assert.match(await page.textContent('#status'), /^This browser has no WebGPU\./);
    assert.ok(await page.isDisabled('#query'));
  } finally {
    await browser.close();
    await server.close();
  }
});

test('weights that were damaged on the way are refused', async () => {
  const name = search.requests.find((request) => request.endsWith('.bin')).slice(1);
  const whole = await readFile(path.join(folder, name));
  const damaged = Uint8Array.from(whole);
  damaged[damaged.length >> 1] ^= 1;
  await writeFile(path.join(folder, name), damaged);
  try {
    await assert.rejects(openSearch(folder), /SHA-256|sha256|hash|damaged/i);
  } finally {
    await writeFile(path.join(folder, name), whole);
  }
});
