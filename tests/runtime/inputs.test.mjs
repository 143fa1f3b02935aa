import assert from 'node:assert/strict';
import { deviceTest, f32, makeModule, mapPlan, planBuilder, rejects } from './support.mjs';

const poison = { poison: true };

async function loadPlan(plan, device, contents = [], internal = poison) {
  const module = await makeModule(plan, contents);
  return module.load({ device, internal });
}

/** z[b, k] = x[b, k] + y[b, k]; ids [b] int64 go through; the batch is named by all three. */
function addPlan() {
  const b = planBuilder();
  b.symbol('batch', 0, { axis: 0 });
  const words = ['*', 'batch', 3];
  const x = b.tensor(words, -1, 0);
  const y = b.tensor(words, -1, 0);
  const z = b.tensor(words, 0, 1);
  b.input('x', 'float32', ['batch', 3], x);
  b.input('y', 'float32', ['batch', 3], y);
  const ids = b.input('ids', 'int64', ['batch']);
  b.output('z', 'float32', ['batch', 3], { tensor: z });
  b.output('ids_out', 'int64', ['batch'], { input: ids });
  b.constraint(['<', 'batch', 100], 'the batch must be below 100');
  const kernel = `
@group(0) @binding(0) var<uniform> count: u32;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < count) { z[id.x] = x[id.x] + y[id.x]; }
}`;
  b.step(
    'add',
    [words],
    [{ tensor: x }, { tensor: y }, { tensor: z }],
    [{ pipeline: b.pipeline('pttt', kernel), workgroups: ['//', ['+', words, 63], 64] }],
  );
  return b.plan;
}

const matrix = (batch, start = 0) => ({
  data: Float32Array.from({ length: 3 * batch }, (_, i) => start + i),
  dims: [batch, 3],
});
const ids = (...values) => ({ data: BigInt64Array.from(values), dims: [values.length] });

deviceTest('a run gives its outputs in order, with data, dims and dtype', async ({ device }) => {
  const model = await loadPlan(addPlan(), device);
  const out = await model.run({ x: matrix(2), y: matrix(2, 10), ids: ids(1n, 2n) });
  assert.deepEqual(out, {
    z: { data: Float32Array.of(10, 12, 14, 16, 18, 20), dims: [2, 3], dtype: 'float32' },
    ids_out: { data: BigInt64Array.of(1n, 2n), dims: [2], dtype: 'int64' },
  });
  assert.deepEqual(Object.keys(out), ['z', 'ids_out']);
});

deviceTest('inputs and outputs are described', async ({ device }) => {
  const model = await loadPlan(addPlan(), device);
  assert.deepEqual(model.inputs, [
    { name: 'x', dtype: 'float32', dims: ['batch', 3] },
    { name: 'y', dtype: 'float32', dims: ['batch', 3] },
    { name: 'ids', dtype: 'int64', dims: ['batch'] },
  ]);
  assert.deepEqual(model.outputs, [
    { name: 'z', dtype: 'float32', dims: ['batch', 3] },
    { name: 'ids_out', dtype: 'int64', dims: ['batch'] },
  ]);
  assert.throws(() => model.inputs.push({}), TypeError);
});

deviceTest('what is wrong with inputs is said, and the model still runs', async ({ device }) => {
  const model = await loadPlan(addPlan(), device);
  const good = () => ({ x: matrix(2), y: matrix(2), ids: ids(1n, 2n) });
  const bad = (change, code, message) =>
    rejects(model.run({ ...good(), ...change }), code, message);

  await rejects(
    model.run(),
    'bad-input',
    'run() takes an object with an entry for each input, not undefined',
  );
  await rejects(model.run(null), 'bad-input', /not null$/);
  await bad({ w: matrix(2) }, 'bad-input', 'the model has no input "w": it has "x", "y", "ids"');
  await bad(
    { x: undefined },
    'bad-input',
    `input "x" (float32 [batch, 3]) is missing: the model's inputs are "x", "y", "ids"`,
  );
  await rejects(
    model.run({ x: matrix(1), y: matrix(1) }),
    'bad-input',
    /^input "ids" \(int64 \[batch\]\) is missing/,
  );
  await bad(
    { x: new Float32Array(6) },
    'bad-input',
    'input "x" must be { data, dims } or { buffer, offset, dims, dtype }, not Float32Array',
  );
  await bad({ x: 3 }, 'bad-input', /not Number$/);
  await bad(
    { x: { data: new Int32Array(6), dims: [2, 3] } },
    'bad-dtype',
    'input "x" is float32: its data must be Float32Array, not Int32Array',
  );
  await bad({ x: { dims: [2, 3] } }, 'bad-dtype', /not undefined$/);
  await bad(
    { x: { data: new Float32Array(6) } },
    'bad-shape',
    'input "x": dims must be an array of whole numbers, such as [batch, 3], not undefined',
  );
  await bad({ x: { data: new Float32Array(6), dims: [2, 2.5] } }, 'bad-shape', /not \[2, 2.5\]$/);
  await bad({ x: { data: new Float32Array(6), dims: [-2, -3] } }, 'bad-shape', /not \[-2, -3\]$/);
  await bad({ x: { data: new Float32Array(6), dims: ['2', 3] } }, 'bad-shape');
  await bad(
    { x: { data: new Float32Array(6), dims: [6] } },
    'bad-shape',
    'input "x" has 1 dimensions, [6], but the model takes 2: [batch, 3]',
  );
  await bad(
    { x: { data: new Float32Array(5), dims: [2, 3] } },
    'bad-shape',
    'input "x": dims [2, 3] are 6 values, but data has 5',
  );
  await bad(
    { x: { data: new Float32Array(8), dims: [2, 4] } },
    'bad-shape',
    'input "x" has dims [2, 4], but the model takes [batch, 3]: dimension 1 must be 3, not 4',
  );
  await bad(
    { y: matrix(3) },
    'bad-shape',
    'input "y" has dims [3, 3], but the model takes [batch, 3], where batch = 2: dimension 0 must be 2, not 3',
  );
  await bad({ ids: ids(1n) }, 'bad-shape', /^input "ids" has dims \[1\].*must be 2, not 1$/);
  await rejects(
    model.run({ x: matrix(100), y: matrix(100), ids: ids(...new Array(100).fill(0n)) }),
    'bad-shape',
    'the batch must be below 100 (batch = 100)',
  );
  await rejects(
    model.run(good(), { keep: ['w'] }),
    'bad-output',
    'keep: the model has no output "w": it has "z", "ids_out"',
  );
  await rejects(model.run(good(), { keep: 'z' }), 'bad-option');
  // The sizes are known by now; the checks are the same.
  assert.deepEqual((await model.run(good())).z.data, Float32Array.of(0, 2, 4, 6, 8, 10));
  await bad({ y: matrix(3) }, 'bad-shape', /must be 2, not 3$/);
});

deviceTest(
  'inputs that are passed through are exact, also beyond 32 bits, and copies',
  async ({ device }) => {
    const model = await loadPlan(addPlan(), device);
    const given = ids(2n ** 62n + 1n, -(2n ** 63n));
    const out = await model.run({ x: matrix(2), y: matrix(2), ids: given });
    assert.deepEqual(out.ids_out.data, given.data);
    assert.notEqual(out.ids_out.data.buffer, given.data.buffer);
    const narrow = { data: Int32Array.of(-7, 8), dims: [2] };
    const again = await model.run({ x: matrix(2), y: matrix(2), ids: narrow });
    assert.deepEqual(again.ids_out.data, BigInt64Array.of(-7n, 8n));
    // On the GPU they are 32 bits wide, and nothing is wrapped.
    await rejects(
      model.run({ x: matrix(2), y: matrix(2), ids: given }, { keep: ['ids_out'] }),
      'out-of-range',
      /^output "ids_out": value 4611686018427387905 at index 0 does not fit/,
    );
    const kept = await model.run(
      { x: matrix(2), y: matrix(2), ids: ids(-7n, 8n) },
      { keep: ['ids_out'] },
    );
    assert.deepEqual((await kept.ids_out.read()).data, BigInt64Array.of(-7n, 8n));
    kept.ids_out.dispose();
  },
);

deviceTest('arrays may be reused as soon as run() has returned', async ({ device }) => {
  const model = await loadPlan(addPlan(), device);
  const x = matrix(2);
  const numbers = ids(1n, 2n);
  const pending = model.run({ x, y: matrix(2), ids: numbers });
  x.data.fill(99);
  numbers.data.fill(99n);
  const out = await pending;
  assert.deepEqual(out.z.data, Float32Array.of(0, 2, 4, 6, 8, 10));
  assert.deepEqual(out.ids_out.data, BigInt64Array.of(1n, 2n));
});

const mapped = [
  ['float32', 'f32', 'y[i] = -x[i];', Float32Array.of(1.5, -2), Float32Array.of(-1.5, 2)],
  [
    'float16',
    'f32',
    'y[i] = x[i] + 1.0;',
    Uint16Array.of(0x3c00, 0x0001),
    Uint16Array.of(0x4000, 0x3c00),
  ],
  ['float64', 'f32', 'y[i] = x[i] * 0.5;', Float64Array.of(3, -1), Float64Array.of(1.5, -0.5)],
  ['int64', 'i32', 'y[i] = x[i] - 1;', BigInt64Array.of(0n, -5n), BigInt64Array.of(-1n, -6n)],
  [
    'int32',
    'i32',
    'y[i] = -x[i];',
    Int32Array.of(3, -(2 ** 31) + 1),
    Int32Array.of(-3, 2 ** 31 - 1),
  ],
  ['int16', 'i32', 'y[i] = -x[i];', Int16Array.of(3, -300), Int16Array.of(-3, 300)],
  ['int8', 'i32', 'y[i] = -x[i];', Int8Array.of(3, -100), Int8Array.of(-3, 100)],
  [
    'uint64',
    'u32',
    'y[i] = x[i] + 1u;',
    BigUint64Array.of(2n ** 32n - 2n),
    BigUint64Array.of(2n ** 32n - 1n),
  ],
  ['uint32', 'u32', 'y[i] = x[i] + 1u;', Uint32Array.of(2 ** 32 - 2), Uint32Array.of(2 ** 32 - 1)],
  ['uint16', 'u32', 'y[i] = x[i] + 1u;', Uint16Array.of(9), Uint16Array.of(10)],
  ['uint8', 'u32', 'y[i] = x[i] + 1u;', Uint8Array.of(254), Uint8Array.of(255)],
  ['bool', 'u32', 'y[i] = 1u - x[i];', Uint8Array.of(1, 0, 9), Uint8Array.of(0, 1, 0)],
];
for (const [dtype, type, body, given, expected] of mapped) {
  deviceTest(`${dtype} to the GPU and back`, async ({ device }) => {
    const model = await loadPlan(mapPlan(body, dtype, type), device);
    const { y } = await model.run({ x: { data: given, dims: [given.length] } });
    assert.deepEqual(y, { data: expected, dims: [expected.length], dtype });
  });
}

deviceTest('an int64 that does not fit the GPU is an error, never wrapped', async ({ device }) => {
  const model = await loadPlan(mapPlan('y[i] = x[i];', 'int64', 'i32'), device);
  await rejects(
    model.run({ x: ids(5n, 2n ** 31n) }),
    'out-of-range',
    'input "x": value 2147483648 at index 1 does not fit the 32 bits of the GPU (-2147483648 to 2147483647)',
  );
  const { y } = await model.run({ x: ids(2n ** 31n - 1n, -(2n ** 31n)) });
  assert.deepEqual(y.data, BigInt64Array.of(2n ** 31n - 1n, -(2n ** 31n)));
});
