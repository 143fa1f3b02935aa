// Inputs bound where the user has them, and outputs written where they are handed out: what is copied, and what must be.
import assert from 'node:assert/strict';
import {
  deviceTest,
  f32,
  makeModule,
  mapKernel,
  mapPlan,
  planBuilder,
  random,
  rejects,
} from './support.mjs';

const STORAGE = 0x80;
const COPIES = 0x4 | 0x8;

/** y = 2 a + b, element by element, both bound in one step; then z = y + 1. */
function pairPlan() {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const [a, c] = [b.tensor('n', -1, 0), b.tensor('n', -1, 0)];
  const y = b.tensor('n', 0, 2);
  const z = b.tensor('n', 1, 2);
  b.input('a', 'float32', ['n'], a);
  b.input('b', 'float32', ['n'], c);
  b.output('y', 'float32', ['n'], { tensor: y });
  b.output('z', 'float32', ['n'], { tensor: z });
  const kernel = `
@group(0) @binding(0) var<uniform> count: u32;
@group(0) @binding(1) var<storage, read_write> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) at: vec3<u32>) {
  if (at.x < count) { y[at.x] = 2.0 * a[at.x] + b[at.x]; }
}`;
  const workgroups = ['//', ['+', 'n', 63], 64];
  b.step(
    'pair',
    ['n'],
    [{ tensor: a }, { tensor: c }, { tensor: y }],
    [{ pipeline: b.pipeline('pttt', kernel), workgroups }],
  );
  const add = b.pipeline('ptt', mapKernel('y[i] = x[i] + 1.0;'));
  b.step('add', ['n', 0], [{ tensor: y }, { tensor: z }], [{ pipeline: add, workgroups }]);
  return b.plan;
}

const N = 100;
const range = (from, n = N) => Float32Array.from({ length: n }, (_, i) => from + i);
const pair = (a, b) => range(0).map((i) => 2 * (a + i) + (b + i));

async function loadPair(device) {
  const { load } = await makeModule(pairPlan());
  return load({ device, internal: { poison: true } });
}

function bufferOf(device, size, usage, parts) {
  const buffer = device.createBuffer({ size, usage });
  for (const [offset, data] of parts) device.queue.writeBuffer(buffer, offset, data);
  return buffer;
}

const at = (buffer, offset = 0) => ({ buffer, offset, dims: [N] });

deviceTest('inputs in storage buffers are bound where they lie', async ({ device, log }) => {
  const model = await loadPair(device);
  const a = bufferOf(device, 512, STORAGE | COPIES, [[0, range(5)]]);
  const b = bufferOf(device, 2048, STORAGE | COPIES, [[1024, range(9)]]);
  for (let i = 0; i < 2; ++i) {
    const before = { ...log };
    const { y, z } = await model.run({ a: at(a), b: at(b, 1024) });
    assert.deepEqual(y.data, pair(5, 9));
    assert.deepEqual(
      z.data,
      pair(5, 9).map((value) => value + 1),
    );
    assert.equal(log.copies - before.copies, 2, 'the outputs, for reading');
    if (i === 1) assert.equal(log.bindGroups, before.bindGroups, 'groups over it are kept');
  }
  // What the user writes afterwards is what the next run reads.
  device.queue.writeBuffer(a, 0, range(50));
  assert.deepEqual((await model.run({ a: at(a), b: at(b, 1024) })).y.data, pair(50, 9));
});

deviceTest('inputs that cannot be bound where they lie are copied', async ({ device, log }) => {
  const model = await loadPair(device);
  const data = [[0, range(0, 600)]];
  const storage = bufferOf(device, 2400, STORAGE | COPIES, data);
  const plain = bufferOf(device, 2400, COPIES, data);
  const other = bufferOf(device, 512, STORAGE | COPIES, [[0, range(1000)]]);
  const tight = bufferOf(device, 256 + 400, STORAGE | COPIES, [[256, range(3)]]);
  for (const [name, a, b, copies, first, second] of [
    ['no STORAGE', at(plain), at(other), 1, 0, 1000],
    ['not aligned', at(storage, 8), at(other), 1, 2, 1000],
    ['one buffer twice, apart', at(storage, 0), at(storage, 512), 0, 0, 128],
    ['one buffer twice, the later first', at(storage, 512), at(storage, 0), 0, 128, 0],
    ['overlapping', at(storage, 0), at(storage, 256), 1, 0, 64],
    ['the same', at(storage, 256), at(storage, 256), 2, 64, 64],
    ['whole vec4s to its end', at(tight, 256), at(other), 0, 3, 1000],
  ]) {
    const before = log.copies;
    const { y } = await model.run({ a, b });
    assert.deepEqual(y.data, pair(first, second), name);
    assert.equal(log.copies - before - 2, copies, name);
  }
});

deviceTest('too little room for whole vec4s is copied too', async ({ device, log }) => {
  const { load } = await makeModule(mapPlan());
  const model = await load({ device, internal: { poison: true } });
  const buffer = bufferOf(device, 12, STORAGE | COPIES, [[0, Float32Array.of(1, 2, 3)]]);
  const { y } = await model.run({ x: { buffer, dims: [3] } });
  assert.deepEqual(y.data, Float32Array.of(2, 4, 6));
  assert.equal(log.copies, 2);
});

deviceTest('an output that is kept is written where it is handed out', async ({ device, log }) => {
  const model = await loadPair(device);
  const [a, b] = [
    { data: range(1), dims: [N] },
    { data: range(2), dims: [N] },
  ];
  // z reads y, which lies in the buffer that the user gets.
  const { y, z } = await model.run({ a, b }, { keep: ['y'] });
  assert.equal(log.copies, 1, 'z, for reading');
  assert.deepEqual(
    z.data,
    pair(1, 2).map((value) => value + 1),
  );
  assert.deepEqual((await y.read()).data, pair(1, 2));
  const before = log.copies;
  const next = await model.run({ a: y, b: { data: range(3), dims: [N] } }, { keep: ['y', 'z'] });
  assert.equal(log.copies, before);
  const expected = pair(1, 2).map((value, i) => 2 * value + 3 + i);
  assert.deepEqual((await next.y.read()).data, expected);
  assert.deepEqual(
    (await next.z.read()).data,
    expected.map((value) => value + 1),
  );
  assert.deepEqual((await y.read()).data, pair(1, 2), 'the input is as it was');
});

deviceTest('two outputs that are one tensor are two buffers', async ({ device }) => {
  const plan = mapPlan();
  plan.outputs.push({ ...plan.outputs[0], name: 'again' });
  plan.outputs.push({ ...plan.outputs[0], name: 'given', tensor: 0 });
  const { load } = await makeModule(plan);
  const model = await load({ device, internal: { poison: true } });
  const buffer = bufferOf(device, 256, STORAGE | COPIES, [[0, Float32Array.of(1, 2, 3, 4)]]);
  for (const x of [f32(1, 2, 3, 4), { buffer, dims: [4] }]) {
    const keep = ['y', 'again', 'given'];
    const out = await model.run({ x }, { keep });
    assert.equal(new Set([buffer, ...keep.map((name) => out[name].buffer)]).size, 4);
    assert.deepEqual((await out.y.read()).data, Float32Array.of(2, 4, 6, 8));
    assert.deepEqual((await out.again.read()).data, Float32Array.of(2, 4, 6, 8));
    assert.deepEqual((await out.given.read()).data, Float32Array.of(1, 2, 3, 4));
    const { given } = await model.run({ x }, { keep: ['again'] });
    assert.deepEqual(given.data, Float32Array.of(1, 2, 3, 4));
  }
});

deviceTest('a buffer that was given back may still be read by the next run', async ({ device }) => {
  const model = await loadPair(device);
  const b = { data: range(0), dims: [N] };
  const { y } = await model.run({ a: { data: range(1), dims: [N] }, b }, { keep: ['y'] });
  const { buffer } = y;
  y.dispose();
  // The pool hands out this very buffer for the output.
  const next = await model.run({ a: at(buffer), b }, { keep: ['y'] });
  assert.equal(next.y.buffer, buffer);
  assert.deepEqual(
    (await next.y.read()).data,
    pair(1, 0).map((value, i) => 2 * value + i),
  );
});

deviceTest(
  'a buffer that WebGPU refuses is an error, and nothing of it is kept',
  async ({ device }) => {
    const model = await loadPair(device);
    const b = { data: range(0), dims: [N] };
    const gone = bufferOf(device, 512, STORAGE | COPIES, []);
    gone.destroy();
    for (let i = 0; i < 2; ++i) {
      await rejects(
        model.run({ a: at(gone), b }),
        'bad-input',
        /^input "a": its buffer must be made by /,
      );
    }
    const { y } = await model.run({ a: { data: range(1), dims: [N] }, b });
    assert.deepEqual(y.data, pair(1, 0));
  },
);

deviceTest('any mixture of arrays, buffers and states', async ({ device }) => {
  const model = await loadPair(device);
  const next = random(41);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const shared = device.createBuffer({ size: 16384, usage: STORAGE | COPIES });
  const values = Float32Array.from({ length: 4096 }, () => Math.floor(next() * 100));
  device.queue.writeBuffer(shared, 0, values);
  /** Tensors that are kept, each with what it must hold. */
  const states = [];
  const source = (n) => {
    const fitting = states.filter(({ expected }) => expected.length === n);
    if (fitting.length > 0 && next() < 0.5) {
      const { tensor, expected } = pick(fitting);
      return { input: tensor, expected };
    }
    if (next() < 0.4) {
      const data = Float32Array.from({ length: n }, () => Math.floor(next() * 100));
      return { input: { data, dims: [n] }, expected: data };
    }
    const offset = pick([0, 256, 512, 1024, 4096, 4 * Math.floor(next() * 1000)]);
    const expected = values.slice(offset / 4, offset / 4 + n);
    return { input: { buffer: shared, offset, dims: [n] }, expected };
  };
  const pending = [];
  for (let i = 0; i < 200; ++i) {
    const n = pick([1, 3, 64, 65, 200, 500]);
    const [a, b] = [source(n), source(n)];
    const keep = ['y', 'z'].filter(() => next() < 0.5);
    const expected = {};
    expected.y = a.expected.map((value, k) => 2 * value + b.expected[k]);
    expected.z = expected.y.map((value) => value + 1);
    const run = model.run({ a: a.input, b: b.input }, { keep });
    const check = async () => {
      const out = await run;
      for (const name of ['y', 'z']) {
        if (!keep.includes(name)) assert.deepEqual(out[name].data, expected[name], `run ${i}`);
        // Exact while it is small.
        else if (expected[name].some((value) => value > 1e6)) out[name].dispose();
        else states.push({ tensor: out[name], expected: expected[name] });
      }
    };
    if (next() < 0.3) pending.push(check());
    else await check();
    while (states.length > 12) states.splice(Math.floor(next() * 12), 1)[0].tensor.dispose();
    if (i % 20 === 19) {
      await Promise.all(pending.splice(0));
      for (const { tensor, expected: held } of states) {
        assert.deepEqual((await tensor.read()).data, held, `after run ${i}`);
      }
    }
  }
});
