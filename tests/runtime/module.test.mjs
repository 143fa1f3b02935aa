import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import test from 'node:test';
import vm from 'node:vm';
import { gzipSync } from 'node:zlib';
import { deviceTest, f32, makeModule, mapPlan } from './support.mjs';

const bundle = readFileSync(new URL('../../build/runtime/runtime.js', import.meta.url), 'utf8');

test('the module exports format, requirements, load and SubbyteError', async () => {
  const module = await makeModule(mapPlan());
  assert.equal(module.format, 1);
  assert.deepEqual(module.requirements, { features: [], limits: {} });
  assert.equal(typeof module.load, 'function');
  assert.ok(module.SubbyteError.prototype instanceof Error);
});

test('importing touches no globals', () => {
  // What the language itself has may be used; all else that the bundle reads or writes as a global is noted.
  const language = vm.runInNewContext('Object.getOwnPropertyNames(globalThis)');
  const touched = new Set();
  const scope = new Proxy(
    {},
    {
      has: () => true,
      get: (target, name) => {
        if (name === Symbol.unscopables) return undefined;
        if (language.includes(name) && name !== 'globalThis') return globalThis[name];
        touched.add(name);
        return undefined;
      },
      set: (target, name) => touched.add(name),
    },
  );
  const text = bundle.replace('"use strict";', '');
  const exports = new Function(
    'scope',
    `with (scope) { return (() => { ${text}; return subbyte_runtime; })(); }`,
  )(scope);
  assert.deepEqual(Object.keys(exports).sort(), ['SubbyteError', 'loader']);
  assert.deepEqual([...touched], []);
});

test('the bundle runs in a context that has nothing but the language', () => {
  const context = vm.createContext({});
  vm.runInContext(bundle, context);
  assert.equal(
    typeof vm.runInContext('subbyte_runtime.loader({ steps: [] }, [])', context),
    'function',
  );
});

test('the bundle is small, and has no eval', () => {
  const zipped = gzipSync(bundle, { level: 9 }).length;
  assert.ok(zipped <= 20_000, `${zipped} bytes`);
  assert.doesNotMatch(bundle, /\beval\b|new Function/);
});

test('its lines are short, so that Node shows the message of an error that nobody catches', () => {
  assert.ok(Math.max(...bundle.split('\n').map((line) => line.length)) <= 240);
});

test('the dynamic import is left alone by bundlers', () => {
  assert.match(
    bundle,
    /import\(\s*\/\*\s*webpackIgnore: true\s*\*\/\s*\/\*\s*@vite-ignore\s*\*\/\s*\w+\s*\)/,
  );
});

deviceTest('errors are of the class that the module exports', async ({ device }) => {
  const { load, SubbyteError } = await makeModule(mapPlan());
  const model = await load({ device });
  const error = await model.run({}).catch((reason) => reason);
  assert.ok(error instanceof SubbyteError);
  assert.equal(error.name, 'SubbyteError');
});

deviceTest('the model works without Symbol.dispose', async ({ device }) => {
  const { load } = await makeModule(mapPlan());
  const model = await load({ device });
  assert.equal(typeof model[Symbol.dispose], 'function');
  assert.deepEqual((await model.run({ x: f32(1) })).y.data, Float32Array.of(2));
  model[Symbol.dispose]();
});

test('the file of a model in the module is the bundle and little more', async () => {
  const { path } = await makeModule(mapPlan());
  assert.ok(statSync(path).size < bundle.length + 4000);
});
