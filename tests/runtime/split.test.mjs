import assert from 'node:assert/strict';
import { deviceTest, makeModule, planBuilder, rejects } from './support.mjs';
import { randomBytes, wordAt } from './weight_plan.mjs';

/** y[r] = the sum of row r of a matrix in two parts, cut by rows where the device asks for it. */
function splitPlan(rows) {
  const kernel = `
struct Params { first: u32, rows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read> b: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let r = id.x;
  if (r >= p.rows) { return; }
  y[p.first + r] = a[4u * r] + a[4u * r + 1u] + a[4u * r + 2u] + a[4u * r + 3u] + b[r];
}`;
  const b = planBuilder();
  b.weight({ file: 0, offset: 0, bytes: 16 * rows, rows, row_stride: 16 });
  b.weight({ file: 0, offset: 16 * rows, bytes: 4 * rows, rows, row_stride: 4 });
  const y = b.tensor(rows, 0, 1);
  b.output('y', 'uint32', [rows], { tensor: y });
  b.step(
    'sum',
    [['first'], ['rows']],
    [{ weight: 0 }, { weight: 1 }, { tensor: y }],
    [{ pipeline: b.pipeline('pwwt', kernel), workgroups: ['//', ['+', ['rows'], 63], 64] }],
    { weights: [0, 1], rows },
  );
  return b.plan;
}

deviceTest('weights beyond the limits are split by rows', async ({ device, log }) => {
  const rows = 5 * 256 + 16;
  const bytes = randomBytes(20 * rows, 9);
  const expected = Uint32Array.from({ length: rows }, (_, r) => {
    let sum = wordAt(bytes, 4 * rows + r);
    for (let i = 0; i < 4; ++i) sum += wordAt(bytes, 4 * r + i);
    return sum;
  });
  const { load } = await makeModule(splitPlan(rows), [bytes]);
  const groups = [];
  for (const limits of [
    {},
    { maxStorageBufferBindingSize: 3 * 4096 },
    { maxStorageBufferBindingSize: 2 * 4096, maxBufferSize: 3 * 4096 },
    { maxStorageBufferBindingSize: 2 * 4096, maxBufferSize: 2 * 4096 },
  ]) {
    const before = log.bindGroups;
    const model = await load({ device, internal: { limits, poison: true } });
    assert.deepEqual((await model.run({})).y.data, expected, JSON.stringify(limits));
    groups.push(log.bindGroups - before);
    model.dispose();
  }
  assert.deepEqual(groups, [1, 2, 3, 3]);
  await rejects(
    load({ device, internal: { limits: { maxStorageBufferBindingSize: 4000 } } }),
    'limits',
    /^a weight of 0\.01978 MiB \(at byte 0 of "[^"]+"\) cannot be bound/,
  );
});

deviceTest('joined parts are bound together', async ({ device }) => {
  const bytes = randomBytes(1024, 5);
  const kernel = `
@group(0) @binding(1) var<storage, read> w: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(1) fn main() { y[0] = w[0]; y[1] = w[64]; y[2] = w[128 + 63]; }`;
  const b = planBuilder();
  b.weight({ file: 0, offset: 256, bytes: 4 });
  b.weight({ file: 0, offset: 512, bytes: 512, joined: true });
  const y = b.tensor(3, 0, 1);
  b.output('y', 'uint32', [3], { tensor: y });
  b.step(
    'span',
    [],
    [{ weight: 0, span: 2 }, { tensor: y }],
    [{ pipeline: b.pipeline('wt', kernel), workgroups: 1 }],
  );
  const { load } = await makeModule(b.plan, [bytes]);
  const model = await load({ device });
  const expected = [64, 128, 255].map((index) => wordAt(bytes, index));
  assert.deepEqual([...(await model.run({})).y.data], expected);
});
