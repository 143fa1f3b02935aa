// The plugins, each in a small project with the packed npm package: what is built carries the weights, and loads.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';

import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import { build as viteBuild, createServer } from 'vite';
import webpack from 'webpack';

const { SUBBYTE_MODELS: models, SUBBYTE_PACKAGE: pack } = process.env;
const skip = pack === undefined && 'SUBBYTE_PACKAGE names no package: ./dev test npm makes one';
const query = '?subbyte&precision=4bit&calibration=none&no-check';

let folder;
let plugins;
const told = [];
const options = { log: (message) => told.push(message) };

before(async () => {
  if (skip) return;
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'subbyte-bundlers-'));
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  const install = ['install', '--offline', '--no-audit', '--no-fund', '--silent'];
  const { status, stderr } = spawnSync('npm', [...install, path.resolve(pack)], {
    cwd: folder,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  fs.copyFileSync(path.join(models, 'ppocr-cls.onnx'), path.join(folder, 'm.onnx'));
  fs.writeFileSync(
    path.join(folder, 'main.js'),
    `import { load, requirements } from './m.onnx${query}';\nexport { load, requirements };\n`,
  );
  const library = path.join(folder, 'node_modules', 'subbyte', 'lib', 'plugins');
  plugins = Object.fromEntries(
    await Promise.all(
      ['vite', 'rollup', 'esbuild', 'webpack'].map(async (name) => [
        name,
        (await import(pathToFileURL(path.join(library, `${name}.js`)).href)).default,
      ]),
    ),
  );
});
after(() => {
  if (folder) fs.rmSync(folder, { recursive: true });
});

/** The file of weights that was built; there is one. */
function weightsIn(built) {
  const names = fs.readdirSync(built, { recursive: true }).filter((name) => name.endsWith('.bin'));
  assert.equal(names.length, 1, `files of weights: ${names}`);
  return path.join(built, names[0]);
}

/** Whether a module that was built asks for its weights where they are, by the file that it opens in Node. */
async function loads(file, weights) {
  const opened = [];
  const { load } = await import(pathToFileURL(file).href);
  assert.equal(typeof load, 'function');
  const text = fs.readFileSync(file, 'utf8');
  assert.ok(text.includes(path.basename(weights)), 'the weights are not named');
  // Every address of weights in the text, taken from where the text is.
  for (const [, address] of text.matchAll(/["'`]([^"'`\s]*\.bin)["'`]/g)) {
    const url = new URL(address, pathToFileURL(file));
    if (fs.existsSync(url)) opened.push(fs.realpathSync(url));
  }
  assert.ok(opened.includes(fs.realpathSync(weights)), 'no address leads to the weights');
}

async function built(name, file) {
  const out = path.join(folder, `out-${name}`);
  const weights = weightsIn(out);
  await loads(path.join(out, file), weights);
  const converted = path.join(folder, 'node_modules', '.cache', 'subbyte');
  const [entry, ...others] = fs.readdirSync(converted);
  assert.deepEqual(others, [], 'the model was converted more than once');
  const cached = weightsIn(path.join(converted, entry));
  assert.deepEqual(fs.readFileSync(weights), fs.readFileSync(cached));
}

test('rollup', { skip }, async () => {
  const bundle = await rollup({
    input: path.join(folder, 'main.js'),
    plugins: [plugins.rollup(options)],
  });
  await bundle.write({ dir: path.join(folder, 'out-rollup'), format: 'es' });
  await built('rollup', 'main.js');
});

test('esbuild', { skip }, async () => {
  await esbuild.build({
    entryPoints: [path.join(folder, 'main.js')],
    bundle: true,
    format: 'esm',
    outdir: path.join(folder, 'out-esbuild'),
    logLevel: 'silent',
    plugins: [plugins.esbuild(options)],
    external: ['node:*', 'webgpu'],
  });
  await built('esbuild', 'main.js');
});

test('vite', { skip }, async () => {
  await viteBuild({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    plugins: [plugins.vite(options)],
    build: {
      outDir: 'out-vite',
      minify: false,
      assetsInlineLimit: 0,
      lib: { entry: 'main.js', formats: ['es'], fileName: () => 'main.js' },
      rollupOptions: { external: [/^node:/, 'webgpu'] },
    },
  });
  await built('vite', 'main.js');
});

test('webpack', { skip }, async () => {
  const compiler = webpack({
    context: folder,
    entry: './main.js',
    mode: 'development',
    devtool: false,
    target: ['web', 'es2022'],
    experiments: { outputModule: true },
    externals: [/^node:/, 'webgpu'],
    output: {
      path: path.join(folder, 'out-webpack'),
      filename: 'main.js',
      module: true,
      library: { type: 'module' },
      publicPath: '',
    },
    plugins: [new plugins.webpack(options)],
  });
  const stats = await new Promise((resolve, reject) =>
    compiler.run((error, result) => (error ? reject(error) : resolve(result))),
  );
  assert.deepEqual(stats.toJson({ errors: true }).errors, []);
  await built('webpack', 'main.js');
});

test("vite's server gives the module and its weights", { skip }, async () => {
  const server = await createServer({
    root: folder,
    base: '/app/',
    configFile: false,
    logLevel: 'silent',
    plugins: [plugins.vite(options)],
    server: { host: '127.0.0.1', port: 0 },
  });
  try {
    await server.listen();
    const { port } = server.httpServer.address();
    const page = `http://127.0.0.1:${port}/app/`;
    const main = await (await fetch(page + 'main.js')).text();
    const module = new URL(/from "([^"]*m\.onnx[^"]*)"/.exec(main)[1], page);
    const response = await fetch(module);
    assert.match(response.headers.get('content-type'), /javascript/);
    const text = await response.text();
    const [, address] = /new URL\("([^"]*\.bin)"/.exec(text);
    const weights = await fetch(new URL(address, module));
    assert.equal(weights.status, 200);
    const converted = path.join(folder, 'node_modules', '.cache', 'subbyte');
    assert.deepEqual(
      Buffer.from(await weights.arrayBuffer()),
      fs.readFileSync(weightsIn(path.join(converted, fs.readdirSync(converted)[0]))),
    );
  } finally {
    await server.close();
  }
});

test('modules already converted carry their weights in Rollup and esbuild', { skip }, async () => {
  const { convert } = await import(
    pathToFileURL(path.join(folder, 'node_modules', 'subbyte', 'lib', 'node.js')).href
  );
  const source = path.join(folder, 'converted');
  fs.mkdirSync(source);
  await convert(path.join(folder, 'm.onnx'), {
    output: path.join(source, 'c.webgpu.js'),
    calibration: false,
    check: false,
  });
  fs.writeFileSync(path.join(source, 'main.js'), "export { load } from './c.webgpu.js';\n");
  const input = path.join(source, 'main.js');
  const bundle = await rollup({ input, plugins: [plugins.rollup(options)] });
  await bundle.write({ dir: path.join(source, 'rollup'), format: 'es' });
  await esbuild.build({
    entryPoints: [input],
    bundle: true,
    format: 'esm',
    outdir: path.join(source, 'esbuild'),
    logLevel: 'silent',
    plugins: [plugins.esbuild(options)],
    external: ['node:*', 'webgpu'],
  });
  const original = fs.readdirSync(source).find((name) => name.endsWith('.bin'));
  for (const name of ['rollup', 'esbuild']) {
    const weights = weightsIn(path.join(source, name));
    assert.deepEqual(fs.readFileSync(weights), fs.readFileSync(path.join(source, original)));
    await loads(path.join(source, name, 'main.js'), weights);
  }
});

test('a model that fails names itself and the reason, in every bundler', { skip }, async () => {
  fs.writeFileSync(path.join(folder, 'bad.onnx'), 'no model');
  fs.writeFileSync(path.join(folder, 'bad.js'), "export { load } from './bad.onnx?subbyte';\n");
  const input = path.join(folder, 'bad.js');
  await assert.rejects(rollup({ input, plugins: [plugins.rollup(options)] }), /bad\.onnx/);
  await assert.rejects(
    esbuild.build({
      entryPoints: [input],
      bundle: true,
      write: false,
      format: 'esm',
      logLevel: 'silent',
      plugins: [plugins.esbuild(options)],
    }),
    /bad\.onnx/,
  );
});
