// The packed npm package in a page of headless Chromium: a dropped file becomes the native program's module there.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';

import { launch, openPage } from '../browser/chromium.mjs';
import { serve } from '../browser/server.mjs';

const { SUBBYTE, SUBBYTE_MODELS: models, SUBBYTE_PACKAGE: pack } = process.env;
const skip = pack === undefined && 'SUBBYTE_PACKAGE names no package: ./dev test npm makes one';

let folder;
let server;
let browser;
let page;
let complaints;

before(async () => {
  if (skip) return;
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'subbyte-page-'));
  const { status, stderr } = spawnSync('tar', ['xzf', path.resolve(pack), '-C', folder]);
  assert.equal(status, 0, String(stderr));
  fs.writeFileSync(
    path.join(folder, 'index.html'),
    '<!doctype html><title>npm</title><link rel="icon" href="data:," />',
  );
  fs.copyFileSync(path.join(models, 'ppocr-cls.onnx'), path.join(folder, 'cls.onnx'));
  server = await serve({ '/': folder });
  browser = await launch();
  ({ page, complaints } = await openPage(browser));
  await page.goto(server.url + (server.url.endsWith('/') ? '' : '/') + 'index.html');
});
after(async () => {
  await browser?.close();
  await server?.close();
  if (folder) fs.rmSync(folder, { recursive: true });
});

test('a File is converted in a worker of the page, by slices', { skip }, async () => {
  const found = await page.evaluate(async () => {
    const { convert, inspect } = await import('/package/lib/browser.js');
    const bytes = await (await fetch('/cls.onnx')).arrayBuffer();
    const file = new File([bytes], 'cls.onnx');
    const stages = new Set();
    const { files, manifest } = await convert(file, {
      precision: '4bit',
      calibration: false,
      check: false,
      onProgress: ({ stage }) => stages.add(stage),
    });
    const hashes = {};
    for (const made of files) {
      const digest = await crypto.subtle.digest('SHA-256', await made.arrayBuffer());
      hashes[made.name] = [...new Uint8Array(digest)]
        .map((byte) => byte.toString(16).padStart(2, '0'))
        .join('');
    }
    const { inputs } = await inspect(file);
    return { hashes, inputs, precision: manifest.precision, stages: [...stages] };
  });
  const made = fs.mkdtempSync(path.join(folder, 'native-'));
  const { status, stderr } = spawnSync(SUBBYTE, [
    ...['convert', path.join(folder, 'cls.onnx'), '--precision', '4bit', '--calibration', 'none'],
    ...['--no-check', '--output', path.join(made, 'cls.webgpu.js')],
  ]);
  assert.equal(status, 0, String(stderr));
  const expected = Object.fromEntries(
    fs.readdirSync(made).map((name) => [
      name,
      createHash('sha256')
        .update(fs.readFileSync(path.join(made, name)))
        .digest('hex'),
    ]),
  );
  assert.deepEqual(found.hashes, expected);
  assert.equal(found.precision, '4bit');
  assert.equal(found.inputs.length, 1);
  assert.ok(found.stages.length > 0);
});

test(
  'what was made is imported from a Blob, and gives itself up for no path',
  { skip },
  async () => {
    const found = await page.evaluate(async () => {
      const { convert } = await import('/package/lib/browser.js');
      const blob = await (await fetch('/cls.onnx')).blob();
      const options = { calibration: false, check: false };
      const { files } = await convert(blob, { ...options, singleFile: true });
      const module = await import(URL.createObjectURL(files[0]));
      const failed = (promise) =>
        promise.then(
          () => 'nothing',
          (error) => `${error.name} ${error.code}: ${error.message}`,
        );
      const controller = new AbortController();
      const aborted = failed(
        convert(blob, {
          ...options,
          signal: controller.signal,
          onProgress: () => controller.abort(),
        }),
      );
      return {
        load: typeof module.load,
        names: files.map(({ name }) => name),
        path: await failed(convert('/cls.onnx')),
        bad: await failed(convert(new Blob(['no model']))),
        aborted: await aborted,
      };
    });
    assert.equal(found.load, 'function');
    assert.deepEqual(found.names.sort(), [
      'model.webgpu.d.ts',
      'model.webgpu.js',
      'model.webgpu.json',
    ]);
    assert.match(found.path, /^SubbyteError usage: '\/cls\.onnx': a browser opens no path/);
    assert.match(found.bad, /^SubbyteError failed: 'model\.onnx'/);
    assert.match(found.aborted, /^SubbyteError aborted/);
    assert.deepEqual(complaints, []);
  },
);
