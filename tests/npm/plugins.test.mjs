// What the plugins do beside building: what is kept, watched and served, with the packed npm package.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { rollup } from 'rollup';
import { build as viteBuild, createServer } from 'vite';

const { SUBBYTE_MODELS: models, SUBBYTE_PACKAGE: pack } = process.env;
const skip = pack === undefined && 'SUBBYTE_PACKAGE names no package: ./dev test npm makes one';
const query = '?subbyte&precision=4bit&calibration=none&no-check';

let folder;
let project;
let plugins;
let told = [];
/** One line of each conversion; warnings are others. */
const log = (message) => void (/ bits a weight/.test(message) && told.push(message));

before(async () => {
  if (skip) return;
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'subbyte-plugins-'));
  project = path.join(folder, 'project');
  fs.mkdirSync(project);
  fs.writeFileSync(path.join(project, 'package.json'), '{ "type": "module" }');
  const install = ['install', '--offline', '--no-audit', '--no-fund', '--silent'];
  const { status, stderr } = spawnSync('npm', [...install, path.resolve(pack)], {
    cwd: project,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  fs.copyFileSync(path.join(models, 'ppocr-cls.onnx'), path.join(project, 'm.onnx'));
  const library = path.join(project, 'node_modules', 'subbyte', 'lib', 'plugins');
  plugins = Object.fromEntries(
    await Promise.all(
      ['vite', 'rollup'].map(async (name) => [
        name,
        (await import(pathToFileURL(path.join(library, `${name}.js`)).href)).default,
      ]),
    ),
  );
});
beforeEach(() => (told = []));
after(() => {
  if (folder) fs.rmSync(folder, { recursive: true });
});

function entry(name, asked) {
  const file = path.join(project, name);
  fs.writeFileSync(file, `export { load } from '${asked}';\n`);
  return file;
}

test('what is kept of a conversion and is damaged is made anew', { skip }, async () => {
  const input = entry('kept.js', './m.onnx' + query);
  const cacheFolder = path.join(folder, 'kept');
  const build = async () => {
    const bundle = await rollup({ input, plugins: [plugins.rollup({ log, cacheFolder })] });
    const { output } = await bundle.generate({ format: 'es' });
    return output.find(({ fileName }) => fileName.endsWith('.bin')).source;
  };
  const weights = await build();
  assert.deepEqual(await build(), weights);
  assert.equal(told.length, 1);
  const [key] = fs.readdirSync(cacheFolder);
  const damages = [
    (file) => file.endsWith('.bin') && fs.rmSync(file),
    (file) => file.endsWith('.bin') && fs.truncateSync(file, 100),
    (file) => file.endsWith('.js') && fs.truncateSync(file, 100),
    (file) => file.endsWith('webgpu.json') && fs.rmSync(file),
  ];
  for (const [index, damage] of damages.entries()) {
    for (const name of fs.readdirSync(path.join(cacheFolder, key)))
      damage(path.join(cacheFolder, key, name));
    assert.deepEqual(await build(), weights);
    assert.equal(told.length, 2 + index);
  }
});

test('rules lie beside the model, and a build that watches hears of them', { skip }, async () => {
  const rules = path.join(project, 'rules.json');
  fs.writeFileSync(rules, '{ "tensors": { "*": "8bit" } }');
  const input = entry('ruled.js', `./m.onnx${query}&mixed-precision-config=./rules.json`);
  const options = { log, cacheFolder: path.join(folder, 'ruled') };
  const build = async () => {
    const bundle = await rollup({ input, plugins: [plugins.rollup(options)] });
    assert.ok(bundle.watchFiles.includes(rules), String(bundle.watchFiles));
    assert.ok(bundle.watchFiles.includes(path.join(project, 'm.onnx')));
  };
  await build();
  await build();
  assert.equal(told.length, 1);
  fs.writeFileSync(rules, '{ "tensors": { "*": "fp16" } }');
  await build();
  assert.equal(told.length, 2);
});

test("vite's server serves models and caches that lie elsewhere", { skip }, async () => {
  const elsewhere = path.join(folder, 'else where');
  fs.mkdirSync(elsewhere);
  fs.copyFileSync(path.join(project, 'm.onnx'), path.join(elsewhere, 'm.onnx'));
  entry('elsewhere.js', '../else where/m.onnx' + query);
  for (const cacheFolder of [undefined, path.join(folder, 'else cache')]) {
    const server = await createServer({
      root: project,
      configFile: false,
      logLevel: 'silent',
      plugins: [plugins.vite({ log, cacheFolder })],
      server: { host: '127.0.0.1', port: 0 },
    });
    try {
      await server.listen();
      const page = `http://127.0.0.1:${server.httpServer.address().port}/`;
      const main = await (await fetch(page + 'elsewhere.js')).text();
      const module = new URL(/from "([^"]*m\.onnx[^"]*)"/.exec(main)[1], page);
      const [, address] = /new URL\("([^"]*\.bin)"/.exec(await (await fetch(module)).text());
      assert.equal((await fetch(new URL(address, module))).status, 200);
    } finally {
      await server.close();
    }
  }
});

test("a server's build finds its weights beside it", { skip }, async () => {
  entry('server.js', './m.onnx' + query);
  await viteBuild({
    root: project,
    base: '/app/',
    configFile: false,
    logLevel: 'silent',
    plugins: [plugins.vite({ log })],
    build: { ssr: 'server.js', ssrEmitAssets: true, outDir: 'server' },
  });
  const file = path.join(project, 'server', 'server.js');
  const text = fs.readFileSync(file, 'utf8');
  const [, address] = /new URL\(["']([^"']*\.bin)["'], import\.meta\.url\)/.exec(text);
  assert.ok(fs.existsSync(fileURLToPath(new URL(address, pathToFileURL(file)))), address);
});
