import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import test from 'node:test';
import { promisify } from 'node:util';
import { makeModule, mapPlan, temporary } from './support.mjs';

const execute = promisify(execFile);

/** Runs a script that may import the module as `load`, in a process of its own. */
async function runScript(name, body) {
  const { path } = await makeModule(mapPlan());
  const script = temporary(`${name}.mjs`);
  writeFileSync(script, `import { load } from ${JSON.stringify(path)};\n${body}`);
  return execute(process.execPath, [script], { timeout: 60000 });
}

test('a program that runs a model ends by itself, disposed of or not', async () => {
  const use = `const model = await load();
const { y } = await model.run({ x: { data: Float32Array.of(1, 2), dims: [2] } });
console.log([...y.data].join());`;
  assert.equal((await runScript('disposed', `${use}\nmodel.dispose();`)).stdout, '2,4\n');
  assert.equal((await runScript('open', use)).stdout, '2,4\n');
});

test('an error that nobody catches shows its class, its code and its message', async () => {
  const failed = await runScript('uncaught', 'await load({ devise: 1 });').catch((error) => error);
  assert.equal(failed.code, 1);
  assert.match(
    failed.stderr,
    /^SubbyteError: load: there is no option "devise"; there are device/m,
  );
  assert.match(failed.stderr, /code: 'bad-option'/);
  const before = failed.stderr.slice(0, failed.stderr.indexOf('SubbyteError: '));
  assert.ok(before.length < 1000, `${before.length} characters before the message`);
});

test('in Node WebGPU may also come from the globals that a program sets', async () => {
  const { stdout } = await runScript(
    'globals',
    `import { create, globals } from 'webgpu';
Object.assign(globalThis, globals);
Object.defineProperty(globalThis, 'navigator', { value: { gpu: create([]) }, configurable: true });
const model = await load();
const { y } = await model.run({ x: { data: Float32Array.of(3), dims: [1] } });
console.log(y.data[0]);
model.dispose();
delete globalThis.navigator;`,
  );
  assert.equal(stdout, '6\n');
});

test('a worker thread runs a model', async () => {
  const { path } = await makeModule(mapPlan());
  const { Worker } = await import('node:worker_threads');
  const worker = new Worker(
    `import(${JSON.stringify(path)}).then(async ({ load }) => {
      const model = await load();
      const { y } = await model.run({ x: { data: Float32Array.of(4), dims: [1] } });
      require('node:worker_threads').parentPort.postMessage(y.data[0]);
      model.dispose();
    });`,
    { eval: true },
  );
  const value = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  assert.equal(value, 8);
  await worker.terminate();
});
