// Modules already converted, as the plugins carry them: what needs no compiler.
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import { build as viteBuild } from 'vite';
import webpack from 'webpack';

import { library } from './library.mjs';

const { default: esbuildPlugin } = await library('plugins/esbuild.js');
const { default: rollupPlugin } = await library('plugins/rollup.js');
const { default: vitePlugin } = await library('plugins/vite.js');
const { default: WebpackPlugin } = await library('plugins/webpack.js');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'subbyte-converted-'));
after(() => fs.rmSync(folder, { recursive: true }));

/** As the program escapes it: what has a meaning of its own in a URL or in the module. */
function escaped(name) {
  return name.replace(
    /[!'*%#?<>\\]/g,
    (character) => '%' + character.charCodeAt(0).toString(16).toUpperCase(),
  );
}

/** A module with what the plugins read of one, its weights and its manifest. */
function writeModule(stem, extension = '.js') {
  const weights = `${stem}-0123.bin`;
  fs.writeFileSync(path.join(folder, weights), stem);
  fs.writeFileSync(
    path.join(folder, stem + '.json'),
    JSON.stringify({ files: [{ name: weights, bytes: stem.length }] }),
  );
  fs.writeFileSync(
    path.join(folder, stem + extension),
    `// Made by subbyte 0.1.0\nexport const where = new URL('./${escaped(weights)}', import.meta.url).href;\n`,
  );
  return stem + extension;
}

async function withRollup(input, out) {
  const bundle = await rollup({ input, plugins: [rollupPlugin()] });
  await bundle.write({ dir: out, format: 'es', entryFileNames: 'main.mjs' });
}

async function withEsbuild(input, out, plugins = []) {
  return esbuild.build({
    entryPoints: { main: input },
    bundle: true,
    format: 'esm',
    outdir: out,
    outExtension: { '.js': '.mjs' },
    logLevel: 'silent',
    plugins: [...plugins, esbuildPlugin()],
  });
}

/** Bundles by esbuild, whatever comes of it, and writes nothing. */
async function tryEsbuild(input, plugins, options) {
  const settings = { entryPoints: [input], bundle: true, write: false, logLevel: 'silent' };
  await esbuild.build({ ...settings, ...options, plugins }).catch(() => {});
}

async function withVite(input, out) {
  await viteBuild({
    root: path.dirname(input),
    base: './',
    configFile: false,
    logLevel: 'silent',
    plugins: [vitePlugin()],
    build: {
      outDir: out,
      minify: false,
      assetsInlineLimit: 0,
      rollupOptions: {
        input,
        preserveEntrySignatures: 'strict',
        output: { entryFileNames: 'main.mjs' },
      },
    },
  });
}

async function withWebpack(input, out) {
  const compiler = webpack({
    context: path.dirname(input),
    entry: input,
    mode: 'development',
    devtool: false,
    target: ['web', 'es2022'],
    experiments: { outputModule: true },
    output: {
      path: out,
      filename: 'main.mjs',
      module: true,
      library: { type: 'module' },
      publicPath: '',
    },
    plugins: [new WebpackPlugin()],
  });
  const stats = await new Promise((resolve, reject) =>
    compiler.run((error, result) => (error ? reject(error) : resolve(result))),
  );
  assert.deepEqual(stats.toJson({ errors: true }).errors, []);
}

const bundlers = Object.entries({
  rollup: withRollup,
  esbuild: withEsbuild,
  vite: withVite,
  webpack: withWebpack,
});
/** What Vite and webpack carry by themselves, without our plugin, and what ours does for bundlers that carry nothing. */
const modules = [
  writeModule('plain.webgpu'),
  writeModule('my model (1), [2] ü.webgpu'),
  writeModule('short', '.js'),
  writeModule('short m', '.mjs'),
];
const strange = writeModule("it's a model (1), 50% #2 ü!*.webgpu");
for (const [name, bundle] of bundlers) {
  const carried = name === 'rollup' || name === 'esbuild' ? [...modules, strange] : modules;
  for (const [index, module] of carried.entries())
    test(`${name} carries the weights of '${module}'`, async () => {
      const out = path.join(folder, `${name}-${index}`);
      const input = path.join(folder, `${name}-${index}.js`);
      fs.writeFileSync(input, `export { where } from './${module.replaceAll("'", "\\'")}';\n`);
      await bundle(name === 'vite' || name === 'webpack' ? input : path.join(folder, module), out);
      const { where } = await import(pathToFileURL(path.join(out, 'main.mjs')).href);
      assert.ok(new URL(where).pathname.endsWith('.bin'), where);
      assert.ok(fileURLToPath(where).startsWith(out), where);
      assert.equal(fs.readFileSync(new URL(where), 'utf8'), module.replace(/\.m?js$/, ''));
    });
}

test("files of other plugins of esbuild's are not ours to open", async () => {
  const virtual = {
    name: 'virtual',
    setup(build) {
      build.onResolve({ filter: /^virtual:/ }, ({ path: id }) => ({
        path: id,
        namespace: 'virtual',
      }));
      build.onLoad({ filter: /.*/, namespace: 'virtual' }, () => undefined);
      build.onEnd(({ errors }) => void errors.splice(0));
    },
  };
  const input = path.join(folder, 'virtual.js');
  fs.writeFileSync(input, "import 'virtual:a.webgpu.js';\n");
  const error = await withEsbuild(input, path.join(folder, 'virtual'), [virtual]).catch(
    (thrown) => thrown,
  );
  assert.doesNotMatch(String(error.message), /ENOENT/);
});

test('a model that esbuild finds by the name of a package, or by an alias, is that file', async () => {
  const models = path.join(folder, 'node_modules', 'models');
  fs.mkdirSync(models, { recursive: true });
  fs.writeFileSync(path.join(models, 'package.json'), '{ "name": "models" }');
  fs.writeFileSync(path.join(models, 'm.onnx'), '');
  const wanted = path.join(models, 'm.onnx');
  for (const id of ['models/m.onnx', '@alias/m.onnx', './node_modules/models/m.onnx']) {
    const input = path.join(folder, 'named.js');
    fs.writeFileSync(input, `import '${id}?subbyte';\n`);
    const seen = [];
    const spy = {
      name: 'spy',
      setup(build) {
        build.onLoad({ filter: /.*/, namespace: 'subbyte' }, ({ path: file }) => {
          seen.push(file);
          return { contents: '' };
        });
      },
    };
    await tryEsbuild(input, [spy, esbuildPlugin()], { alias: { '@alias': models } });
    assert.deepEqual(seen, [`${wanted}?subbyte`], id);
  }
});

test('esbuild watches a model that fails, so that mending it builds', async () => {
  const input = path.join(folder, 'failing.js');
  fs.writeFileSync(input, "import './failing.onnx?subbyte';\n");
  fs.writeFileSync(path.join(folder, 'failing.onnx'), '');
  let watched;
  const plugin = esbuildPlugin({ cacheFolder: path.join(folder, 'cache') });
  const watching = {
    name: plugin.name,
    setup: (build) =>
      plugin.setup({
        ...build,
        onLoad: (options, load) =>
          build.onLoad(options, async (args) => {
            const loaded = await load(args);
            if (options.namespace === 'subbyte') watched = loaded;
            return loaded;
          }),
      }),
  };
  await tryEsbuild(input, [watching]);
  assert.equal(watched.errors.length, 1);
  assert.deepEqual(watched.watchFiles, [path.join(folder, 'failing.onnx')]);
});
