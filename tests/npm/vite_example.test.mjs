// The example in Vite and TypeScript: its types hold, and what it builds tells in Chromium which way up a line stands.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { build } from 'vite';

import { openExample } from '../browser/example_page.mjs';

const { SUBBYTE_MODELS: models, SUBBYTE_PACKAGE: pack } = process.env;
const skip = pack === undefined && 'SUBBYTE_PACKAGE names no package: ./dev test npm makes one';
const root = fileURLToPath(new URL('../../', import.meta.url));

let folder;

before(() => {
  if (skip) return;
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'subbyte-vite-'));
  fs.cpSync(path.join(root, 'examples', 'vite'), folder, { recursive: true });
  fs.copyFileSync(
    path.join(models, 'ppocr-cls.onnx'),
    path.join(folder, 'src', 'line-direction.onnx'),
  );
  // What `npm install` brings, without a network: the packed package, and what this checkout has of the rest.
  const packages = path.join(folder, 'node_modules');
  fs.mkdirSync(packages);
  const { status, stderr } = spawnSync('tar', ['xzf', path.resolve(pack), '-C', packages]);
  assert.equal(status, 0, String(stderr));
  fs.renameSync(path.join(packages, 'package'), path.join(packages, 'subbyte'));
  for (const name of ['vite', 'typescript'])
    fs.symlinkSync(
      fs.realpathSync(path.join(root, 'node_modules', name)),
      path.join(packages, name),
    );
});
after(() => {
  if (folder) fs.rmSync(folder, { recursive: true });
});

test('it uses the versions of tools that the tests have', { skip }, () => {
  const read = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
  const ours = read(path.join(root, 'package.json')).devDependencies;
  const { devDependencies, dependencies } = read(path.join(folder, 'package.json'));
  for (const [name, version] of Object.entries(devDependencies)) assert.equal(version, ours[name]);
  const { version } = read(path.join(folder, 'node_modules', 'subbyte', 'package.json'));
  assert.equal(dependencies.subbyte, `^${version}`);
});

test('its types hold', { skip }, () => {
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

test('the page that it builds works', { skip, timeout: 600_000 }, async () => {
  await build({ root: folder, logLevel: 'silent' });
  const site = await openExample(path.join(folder, 'dist'));
  try {
    const { page } = site;
    const answers = (before) =>
      page.waitForFunction((last) => document.documentElement.dataset.ready !== last, before, {
        timeout: 120_000,
      });
    const ready = () => page.evaluate(() => document.documentElement.dataset.ready);
    assert.match(await page.textContent('#answer'), /^Upright, [\d.]+ % sure$/);
    const before = await ready();
    await page.check('#turned');
    await answers(before);
    assert.match(await page.textContent('#answer'), /^On its head, [\d.]+ % sure$/);
    assert.ok(
      site.requests.some((name) => /assets\/.*\.bin$/.test(name)),
      'weights are an asset',
    );
    assert.deepEqual(site.complaints, []);
    const wide = await page.evaluate(
      () => document.documentElement.scrollWidth <= document.documentElement.clientWidth,
    );
    assert.ok(wide, 'the page is wider than the window');
  } finally {
    await site.close();
  }
});
