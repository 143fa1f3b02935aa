import assert from 'node:assert/strict';
import { deviceTest, makeModule, planBuilder, rejects } from './support.mjs';

// y = x, under watch: 1 where a value is 5, 2 where it is 6.
const kernel = `
@group(0) @binding(1) var<storage, read_write> x: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<i32>;
@group(0) @binding(3) var<storage, read_write> flag: array<atomic<u32>>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < arrayLength(&y)) {
    let value = x[id.x];
    y[id.x] = value;
    if (value == 5 || value == 6) { atomicMax(&flag[0], u32(value - 4)); }
  }
}`;

async function loadWatched(device, range) {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const x = b.tensor('n', -1, 0);
  const y = b.tensor('n', 0, 1);
  const flag = b.tensor(1, -1, 1);
  b.input('x', 'int64', ['n'], x);
  b.output('y', 'int64', ['n'], { tensor: y });
  const pipeline = b.pipeline('ttt', kernel);
  const bindings = [{ tensor: x }, { tensor: y }, { tensor: flag }];
  b.step('watch', [], bindings, [{ pipeline, workgroups: ['//', ['+', 'n', 63], 64] }]);
  b.plan.watch = { tensor: flag, nodes: ["node 'five' (Add)", "node 'six' (Mul)"] };
  if (range) b.plan.inputs[0].range = range;
  const module = await makeModule(b.plan, []);
  return module.load({ device, internal: { poison: true } });
}

const given = (...values) => ({
  x: { data: BigInt64Array.from(values, BigInt), dims: [values.length] },
});

deviceTest('a run whose flag is raised rejects and names the node', async ({ device }) => {
  const model = await loadWatched(device);
  const right = async () =>
    assert.deepEqual((await model.run(given(1, 2, 3, 4))).y.data, BigInt64Array.of(1n, 2n, 3n, 4n));
  await right();
  await rejects(model.run(given(1, 5, 3, 4)), 'out-of-range', /^node 'five' \(Add\): a 64-bit/);
  await right();
  await rejects(model.run(given(5, 6, 3, 4)), 'out-of-range', /^node 'six' \(Mul\): a 64-bit/);
  await rejects(
    model.run(given(1, 5, 3, 4), { keep: ['y'] }),
    'out-of-range',
    /^node 'five' \(Add\): a 64-bit/,
  );
  const { y } = await model.run(given(1, 2, 3, 4), { keep: ['y'] });
  assert.deepEqual(new BigInt64Array((await y.read()).data), BigInt64Array.of(1n, 2n, 3n, 4n));
  const runs = await Promise.allSettled([4, 5, 4, 6, 4].map((v) => model.run(given(v, 0, 0, 0))));
  assert.deepEqual(
    runs.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
  );
  model.dispose();
});

deviceTest('what a proof assumes of an input is checked on the CPU', async ({ device }) => {
  const model = await loadWatched(device, [0, 1]);
  assert.deepEqual((await model.run(given(0, 1))).y.data, BigInt64Array.of(0n, 1n));
  await rejects(
    model.run(given(0, 2)),
    'out-of-range',
    'input "x": value 2 at index 1 is not within 0 to 1',
  );
  await rejects(model.run(given(-1, 1)), 'out-of-range', /value -1 at index 0/);
  model.dispose();
});

deviceTest('a dimension beyond 2^30 is refused', async ({ device }) => {
  const model = await loadWatched(device);
  await rejects(
    model.run({ x: { data: new BigInt64Array(1), dims: [2 ** 30] } }),
    'bad-shape',
    'input "x": dimension 0 is 1073741824; no tensor has more than 1073741823 values',
  );
  model.dispose();
});
