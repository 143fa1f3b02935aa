// The harness itself: what it counts and hears is what happened.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { serve } from './server.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

function floats(...values) {
  const data = Float32Array.from(values);
  return {
    dtype: 'float32',
    dims: [values.length],
    base64: Buffer.from(data.buffer).toString('base64'),
  };
}

async function run(target, sessions) {
  const folder = await mkdtemp(path.join(tmpdir(), 'subbyte-harness-'));
  try {
    await writeFile(path.join(folder, 'sessions.json'), JSON.stringify(sessions));
    const program = path.join(here, 'run_sessions.mjs');
    await promisify(execFile)(
      process.execPath,
      [program, target, 'sessions.json', 'results.json'],
      {
        cwd: folder,
        env: { ...process.env, SUBBYTE_WGSL_DUMP: path.join(folder, 'shaders') },
      },
    );
    const results = JSON.parse(await readFile(path.join(folder, 'results.json'), 'utf8'));
    return { results, shaders: await readdir(path.join(folder, 'shaders')) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

for (const target of ['node', 'chromium']) {
  test(
    `${target}: outputs, counts, errors and shaders come back`,
    { timeout: 120_000 },
    async () => {
      const module = path.join(here, 'fixtures', 'double.webgpu.js');
      const { results, shaders } = await run(target, [
        { module, device: 'default', runs: [{ x: floats(1, 2, 3) }, {}, { x: floats(-0.5) }] },
        { module, device: 'all', runs: [{ x: floats(666) }] },
      ]);
      const [first, second] = results;
      assert.deepEqual(first.inputs, [{ name: 'x', dtype: 'float32', dims: ['n'] }]);
      assert.deepEqual(first.loading, {
        created: 2,
        memory: 0,
        submits: 0,
        dispatches: 0,
        passes: 0,
        writes: 0,
        copies: 0,
      });
      const { base64, ...described } = first.runs[0].outputs.y;
      assert.deepEqual(described, { dtype: 'float32', dims: [3], array: 'Float32Array' });
      assert.equal(base64, floats(2, 4, 6).base64);
      assert.deepEqual(first.runs[0].counts, {
        created: 3,
        memory: 3,
        submits: 1,
        dispatches: 1,
        passes: 1,
        writes: 1,
        copies: 1,
      });
      assert.deepEqual(first.runs[1].error, {
        name: 'SubbyteError',
        code: 'missing-input',
        message: "the input 'x' is missing",
      });
      assert.deepEqual(first.runs[2].outputs.y.base64, floats(-1).base64);
      assert.deepEqual(first.errors, []);
      assert.ok(second.errors.length > 0, 'the invalid buffer was not heard of');
      assert.match(second.errors.join('\n'), /usage/i);
      assert.equal(shaders.length, 1);
    },
  );
}

test('the server serves its folders and nothing outside them', async () => {
  const heard = [];
  const server = await serve(
    { '/f/': path.join(here, 'fixtures') },
    { onRequest: (name) => heard.push(name) },
  );
  try {
    const found = await fetch(`${server.url}/f/double.webgpu.js`);
    assert.equal(found.status, 200);
    assert.equal(found.headers.get('content-type'), 'text/javascript; charset=utf-8');
    for (const outside of [
      '/f/..%2fserver.mjs',
      '/f/%2e%2e%2fserver.mjs',
      '/f/nothing',
      '/server.mjs',
      '/f/%ff',
    ]) {
      assert.equal((await fetch(server.url + outside)).status, 404, outside);
    }
    assert.equal(heard.length, 6);
  } finally {
    await server.close();
  }
});
