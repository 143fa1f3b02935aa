// Runs in segments: a size that the GPU counts is read back before what depends on it runs.
import assert from 'node:assert/strict';
import { deviceTest, f32, makeModule, mapKernel, planBuilder, rejects } from './support.mjs';

/** z = twice the values of x above 0, in order; `size` is how many; `x` is passed through. */
function findPlan() {
  const find = `
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> found: array<u32>;
@compute @workgroup_size(1) fn main() {
  var count = 0u;
  for (var i = 0u; i < p.count; i++) {
    if (x[i] > 0.0) {
      y[count] = x[i];
      count++;
    }
  }
  found[0] = count;
}`;
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const x = b.tensor('n', -1, 0);
  const y = b.tensor('n', 0, 1);
  const found = b.tensor(1, 0, 0);
  b.plan.symbols.push({ name: 'count', tensor: found, most: b.e('n') });
  const z = b.tensor('count', 1, 2);
  b.input('x', 'float32', ['n'], x);
  b.output('z', 'float32', ['count'], { tensor: z });
  b.output('size', 'int64', [2], { content: ['count', ['*', 'count', 10]] });
  b.output('same', 'float32', ['n'], { input: 0 });
  const bindings = [{ tensor: x }, { tensor: y }, { tensor: found }];
  b.step('find', ['n'], bindings, [{ pipeline: b.pipeline('pttt', find), workgroups: 1 }]);
  const pipeline = b.pipeline('ptt', mapKernel('y[i] = 2.0 * x[i];'));
  const workgroups = ['//', ['+', 'count', 63], 64];
  b.step('double', ['count', 0], [{ tensor: y }, { tensor: z }], [{ pipeline, workgroups }]);
  b.plan.segments = [{ steps: 1, symbols: [1] }, { steps: 1 }];
  return b.plan;
}

async function loadFind(device) {
  const { load } = await makeModule(findPlan());
  return load({ device, internal: { poison: true } });
}

const wanted = (x) => Float32Array.from([...x].filter((v) => v > 0).map((v) => 2 * v));

deviceTest('a size that is counted, from run to run', async ({ device }) => {
  const model = await loadFind(device);
  for (const x of [[1, -2, 3], [-1, -2, -3], [], [5, 6, 7], [0, 9, 0], Array(300).fill(4)]) {
    const out = await model.run({ x: f32(...x) });
    assert.deepEqual(out.z.data, wanted(x));
    assert.deepEqual(out.z.dims, [wanted(x).length]);
    const count = BigInt(wanted(x).length);
    assert.deepEqual(out.size.data, BigInt64Array.of(count, 10n * count));
    assert.deepEqual(out.same.data, Float32Array.from(x));
  }
});

deviceTest('runs that overlap have memory of their own', async ({ device }) => {
  const model = await loadFind(device);
  const inputs = Array.from({ length: 12 }, (_, k) =>
    Float32Array.from({ length: 40 + k }, (_, i) => ((i * 7 + k) % 5) - 2),
  );
  const runs = inputs.map((data) => model.run({ x: { data, dims: [data.length] } }));
  const copies = inputs.map((data) => data.slice());
  // What the caller does with its arrays after the call changes nothing.
  for (const data of inputs) data.fill(1000);
  const outputs = await Promise.all(runs);
  outputs.forEach(({ z, same }, k) => {
    assert.deepEqual(z.data, wanted(copies[k]));
    assert.deepEqual(same.data, copies[k]);
  });
  model.dispose();
});

deviceTest('tensors on the GPU go in and stay there', async ({ device }) => {
  const model = await loadFind(device);
  const first = await model.run({ x: f32(1, -1, 2, 3) }, { keep: ['z', 'size'] });
  assert.deepEqual((await first.z.read()).data, Float32Array.of(2, 4, 6));
  assert.deepEqual((await first.size.read()).data, BigInt64Array.of(3n, 30n));
  const second = model.run({ x: first.z });
  first.z.dispose();
  assert.deepEqual((await second).z.data, Float32Array.of(4, 8, 12));
  const none = await model.run({ x: f32(-1) }, { keep: ['z'] });
  assert.deepEqual(none.z.dims, [0]);
  assert.deepEqual((await none.z.read()).data, new Float32Array(0));
});

deviceTest('an array for an output has the length that was counted', async ({ device }) => {
  const model = await loadFind(device);
  const z = new Float32Array(2);
  await model.run({ x: f32(1, -1, 2, -3) }, { into: { z } });
  assert.deepEqual(z, Float32Array.of(2, 4));
  await rejects(
    model.run({ x: f32(1, 1, 1) }, { into: { z } }),
    'bad-shape',
    'into: output "z" has dims [3], 3 values, but the array has 2',
  );
  assert.deepEqual((await model.run({ x: f32(8) })).z.data, Float32Array.of(16));
});

deviceTest(
  'a tensor that grows as less is found has more memory in a second attempt',
  async ({ device }) => {
    const plan = findPlan();
    // n - count + 1000 * (count < 2) elements: the most is what none found take.
    const at = plan.exprs.length;
    plan.exprs.push(2, ['<', plan.tensors[3].count, at], 100000, ['*', at + 1, at + 2]);
    plan.exprs.push(['+', plan.tensors[3].count, at + 3]);
    plan.tensors[3].count = at + 4;
    const { load } = await makeModule(plan);
    const model = await load({ device });
    for (const x of [
      [1, 2],
      [1, -2],
      [1, 2, 3],
    ]) {
      assert.deepEqual((await model.run({ x: f32(...x) })).z.data, wanted(x));
    }
  },
);

deviceTest('a count without a bound, in runs that grow and shrink', async ({ device }) => {
  const plan = findPlan();
  delete plan.symbols[1].most;
  const { load } = await makeModule(plan);
  const model = await load({ device, internal: { poison: true } });
  for (const count of [1, 0, 500, 3, 501, 2000, 2]) {
    const x = Array.from({ length: count + 2 }, (_, i) => (i < count ? i + 1 : -1));
    const data = Float32Array.from(x);
    const given = { data, dims: [x.length] };
    const run = model.run({ x: given }, { keep: count === 500 ? ['z'] : [] });
    // It is the values at the call that a second attempt has too.
    data.fill(7);
    const { z, same } = await run;
    assert.deepEqual(count === 500 ? (await z.read()).data : z.data, wanted(x));
    assert.deepEqual(z.dims, [count]);
    assert.deepEqual(same.data, Float32Array.from(x));
  }
});

deviceTest('what must hold of a count is checked when it is known', async ({ device }) => {
  const plan = findPlan();
  const condition = plan.exprs.push(['<', plan.tensors[3].count, plan.exprs.push(3) - 1]) - 1;
  plan.constraints.push({ condition, message: 'fewer than three must be found' });
  const { load } = await makeModule(plan);
  const model = await load({ device });
  // There may be more than three, but there are not.
  assert.deepEqual((await model.run({ x: f32(1, -2, 3, -4, -5) })).z.data, Float32Array.of(2, 6));
  await rejects(
    model.run({ x: f32(1, 2, 3, 4) }),
    'bad-shape',
    'fewer than three must be found (n = 4, count = 4)',
  );
  assert.deepEqual((await model.run({ x: f32(8) })).z.data, Float32Array.of(16));
});
