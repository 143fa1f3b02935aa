// The same module in a browser.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import test from 'node:test';
import { launch, openPage } from '../browser/chromium.mjs';
import { makeModule, mapKernel, mapPlan, planBuilder } from './support.mjs';

/** y = w[i] * x[i], w one weight of n values. */
function scalePlan(n) {
  const kernel = `
@group(0) @binding(0) var<uniform> count: u32;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < count) { y[id.x] = w[id.x] * x[id.x]; }
}`;
  const b = planBuilder();
  b.weight({ file: 0, offset: 0, bytes: 4 * n });
  const x = b.tensor(n, -1, 0);
  const y = b.tensor(n, 0, 2);
  const z = b.tensor(n, 1, 2);
  b.input('x', 'float32', [n], x);
  b.output('y', 'float32', [n], { tensor: y });
  b.output('z', 'float16', [n], { tensor: z });
  b.step(
    'scale',
    [n],
    [{ tensor: x }, { weight: 0 }, { tensor: y }],
    [{ pipeline: b.pipeline('ptwt', kernel), workgroups: 1 }],
  );
  b.step(
    'add',
    [n, 0],
    [{ tensor: y }, { tensor: z }],
    [{ pipeline: b.pipeline('ptt', mapKernel('y[i] = x[i] + 1.0;')), workgroups: 1 }],
  );
  return b.plan;
}

test(
  'the module runs in Chromium: page, worker, strict content security policy',
  {
    timeout: 120000,
  },
  async (t) => {
    const weights = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
    const beside = await makeModule(scalePlan(4), [weights]);
    const inline = await makeModule(scalePlan(4), [weights], { inline: true });
    const double = await makeModule(mapPlan());
    const requests = [];
    const types = { '.mjs': 'text/javascript', '.bin': 'application/octet-stream' };
    const worker = `import { load } from './${basename(beside.path)}';
    const model = await load();
    const { y } = await model.run({ x: { data: new Float32Array(4).fill(1), dims: [4] } });
    postMessage([...y.data]);`;
    const server = createServer((request, response) => {
      const path = new URL(request.url, 'http://x/').pathname;
      if (path === '/favicon.ico') return response.writeHead(204).end();
      requests.push(path);
      const headers = { 'content-security-policy': "default-src 'self'" };
      if (path === '/') {
        response.writeHead(200, { ...headers, 'content-type': 'text/html' }).end('<!doctype html>');
      } else if (path === '/worker.mjs') {
        response.writeHead(200, { ...headers, 'content-type': 'text/javascript' }).end(worker);
      } else {
        const file = join(beside.folder, basename(path));
        if (!existsSync(file)) return response.writeHead(404).end();
        response.writeHead(200, { ...headers, 'content-type': types[path.slice(-4)] });
        response.end(readFileSync(file));
      }
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const browser = await launch();
    t.after(() => browser.close());
    const { page, complaints } = await openPage(browser);
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    requests.length = 0;

    const use = async (path) => {
      const { load, SubbyteError } = await import(path);
      const events = [];
      const model = await load({ onProgress: (event) => events.push(event) });
      const x = { data: Float32Array.of(1, 1, 1, 0.5), dims: [4] };
      const { y, z } = await model.run({ x });
      const kept = await model.run({ x }, { keep: ['y'] });
      const again = await model.run({ x: kept.y });
      const read = await kept.y.read();
      const error = await model.run({}).catch((reason) => reason);
      const half = globalThis.Float16Array ? new Float16Array([1, 2]) : undefined;
      model.dispose();
      return {
        y: [...y.data],
        z: [...z.data],
        again: [...again.y.data],
        read: [...read.data],
        code: error instanceof SubbyteError ? error.code : String(error),
        last: events.at(-1),
        half: half && Object.prototype.toString.call(half),
      };
    };
    const expected = {
      y: [1, 2, 3, 2],
      z: [0x4000, 0x4200, 0x4400, 0x4200],
      again: [1, 4, 9, 8],
      read: [1, 2, 3, 2],
      code: 'bad-input',
      last: { phase: 'compile', loaded: 2, total: 2 },
      half: '[object Float16Array]',
    };
    const run = (path) => page.evaluate(`(${use})('./${basename(path)}')`);
    assert.deepEqual(await run(beside.path), expected);
    assert.deepEqual(requests, [`/${basename(beside.path)}`, `/${beside.files[0].name}`]);
    assert.deepEqual(await run(inline.path), expected);
    assert.equal(requests.length, 3, 'nothing is fetched but the module');
    const changing = async (path) => {
      const model = await (await import(path)).load();
      const large = new Float32Array(300000);
      const found = [];
      for (const value of [1.5, 2.5]) {
        const x = { data: new Float32Array(large.length).fill(value), dims: [large.length] };
        const [, { y }] = await Promise.all([
          model.run({ x: { data: Float32Array.of(1), dims: [1] } }),
          model.run({ x }, { into: { y: large } }),
        ]);
        found.push(y.data === large && large.every((one) => one === 2 * value));
      }
      let state = { data: Float32Array.of(1, 3), dims: [2] };
      for (let i = 0; i < 8; ++i) {
        const { y } = await model.run({ x: state }, { keep: ['y'] });
        state.dispose?.();
        state = y;
      }
      found.push([...(await state.read()).data].join());
      model.dispose();
      return found;
    };
    assert.deepEqual(
      await page.evaluate(`(${changing})('./${basename(double.path)}')`),
      [true, true, '256,768'],
      'large inputs, outputs into arrays, states that go round',
    );
    const fromWorker = await page.evaluate(
      () =>
        new Promise((resolve, reject) => {
          const thread = new Worker('./worker.mjs', { type: 'module' });
          thread.onmessage = (event) => resolve(event.data);
          thread.onerror = (event) => reject(new Error(event.message));
        }),
    );
    assert.deepEqual(fromWorker, [1, 2, 3, 4]);
    assert.deepEqual(complaints, []);
  },
);
