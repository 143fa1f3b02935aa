import assert from 'node:assert/strict';
import {
  deviceTest,
  f32,
  makeModule,
  mapPlan,
  planBuilder,
  rejects,
  mapKernel,
} from './support.mjs';

const poison = { poison: true };

async function loadPlan(plan, device, contents = [], internal = poison) {
  const module = await makeModule(plan, contents);
  return module.load({ device, internal });
}

deviceTest('a symbol may be a value of an input: reshape to what it says', async ({ device }) => {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  b.symbol('shape[0]', 1, { element: 0 });
  const rows = ['?', ['==', 'shape[0]', -1], ['//', 'n', 2], 'shape[0]'];
  const x = b.tensor('n', -1, 1);
  b.input('x', 'float32', ['n'], x);
  b.input('shape', 'int64', [2]);
  b.output('y', 'float32', [rows, 2], { tensor: x });
  b.output('size', 'int64', [2], { content: [rows, ['*', rows, 2]] });
  b.constraint(['==', ['*', rows, 2], 'n'], 'input "shape" must name as many values as "x" has');
  const model = await loadPlan(b.plan, device);
  const run = (shape, n = 6) =>
    model.run({
      x: { data: new Float32Array(n).fill(3), dims: [n] },
      shape: { data: shape, dims: [shape.length] },
    });
  const out = await run(BigInt64Array.of(3n, 2n));
  assert.deepEqual(out.y.dims, [3, 2]);
  assert.deepEqual(out.size.data, BigInt64Array.of(3n, 6n));
  assert.deepEqual((await run(BigInt64Array.of(-1n, 2n), 8)).y.dims, [4, 2]);
  assert.deepEqual((await run(Int32Array.of(-1, 2), 8)).y.dims, [4, 2]);
  await rejects(
    run(BigInt64Array.of(4n, 2n)),
    'bad-shape',
    'input "shape" must name as many values as "x" has (n = 6, shape[0] = 4)',
  );
  await rejects(
    run(new BigInt64Array(0)),
    'bad-shape',
    'input "shape" must have more than 0 values, but has 0',
  );
  await rejects(run(BigInt64Array.of(3n)), 'bad-shape', /dimension 0 must be 2, not 1$/);
  await rejects(run(BigInt64Array.of(2n ** 60n, 2n)), 'out-of-range', /decides sizes/);
  await rejects(
    run(BigInt64Array.of(2n ** 53n - 1n, 2n)),
    'bad-shape',
    'input "shape" must name as many values as "x" has (n = 6, shape[0] = 9007199254740991)',
  );
  const buffer = device.createBuffer({ size: 16, usage: 0x4 });
  await rejects(
    model.run({ x: f32(1, 2), shape: { buffer, dims: [2] } }),
    'bad-input',
    'input "shape" decides sizes, so it must be data and not a GPUBuffer',
  );
});

deviceTest('a dimension that is computed from a symbol is checked', async ({ device }) => {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const x = b.tensor('n', -1, 1);
  b.input('x', 'float32', ['n'], x);
  b.input('twice', 'uint8', [['*', 'n', 2]]);
  b.output('y', 'float32', ['n'], { tensor: x });
  const model = await loadPlan(b.plan, device);
  const twice = (n) => ({ data: new Uint8Array(n), dims: [n] });
  assert.deepEqual(
    (await model.run({ x: f32(1, 2), twice: twice(4) })).y.data,
    Float32Array.of(1, 2),
  );
  await rejects(
    model.run({ x: f32(1, 2), twice: twice(3) }),
    'bad-shape',
    /where n = 2: dimension 0 must be 4, not 3$/,
  );
});

deviceTest('empty tensors and scalars', async ({ device }) => {
  const model = await loadPlan(mapPlan(), device);
  for (let i = 0; i < 2; ++i) {
    assert.deepEqual((await model.run({ x: f32() })).y, {
      data: new Float32Array(0),
      dims: [0],
      dtype: 'float32',
    });
  }
  const kept = (await model.run({ x: f32() }, { keep: ['y'] })).y;
  assert.deepEqual((await kept.read()).data, new Float32Array(0));
  assert.deepEqual((await model.run({ x: kept })).y.data, new Float32Array(0));

  const b = planBuilder();
  const x = b.tensor(1, -1, 0);
  const y = b.tensor(1, 0, 1);
  b.input('x', 'float32', [], x);
  b.output('y', 'float32', [], { tensor: y });
  b.step(
    'map',
    [1, 0],
    [{ tensor: x }, { tensor: y }],
    [{ pipeline: b.pipeline('ptt', mapKernel('y[i] = x[i] + 1.0;')), workgroups: 1 }],
  );
  const scalar = await loadPlan(b.plan, device);
  const out = await scalar.run({ x: { data: Float32Array.of(2), dims: [] } });
  assert.deepEqual(out.y, { data: Float32Array.of(3), dims: [], dtype: 'float32' });
});

deviceTest(
  'an output that nothing computes: passed through, computed sizes; no steps',
  async ({ device, log }) => {
    const b = planBuilder();
    b.symbol('n', 0, { axis: 0 });
    const x = b.input('x', 'bool', ['n']);
    b.output('y', 'bool', ['n'], { input: x });
    b.output('count', 'int32', [], { content: ['n'] });
    const model = await loadPlan(b.plan, device);
    const out = await model.run({ x: { data: Int8Array.of(1, 0, 1), dims: [3] } });
    assert.deepEqual(out.y.data, Uint8Array.of(1, 0, 1));
    assert.deepEqual(out.count, { data: Int32Array.of(3), dims: [], dtype: 'int32' });
    assert.equal(log.buffersMade, 0);
    const kept = await model.run(
      { x: { data: Int8Array.of(1, 0, 1), dims: [3] } },
      { keep: ['y', 'count'] },
    );
    assert.deepEqual((await kept.y.read()).data, Uint8Array.of(1, 0, 1));
    assert.deepEqual((await kept.count.read()).data, Int32Array.of(3));
  },
);

deviceTest('constants beyond 2^53 are exact outputs', async ({ device }) => {
  const plan = mapPlan();
  const large = ['9007199254740993', '-9223372036854775808', plan.exprs.push(-7) - 1];
  const count = plan.exprs.push(3) - 1;
  for (const dtype of ['int64', 'uint64']) {
    plan.outputs.push({ name: dtype, dtype, dims: [3], shape: [count], content: large });
  }
  const model = await loadPlan(plan, device);
  const out = await model.run({ x: f32(1) });
  const values = large.map((value) => (typeof value === 'string' ? BigInt(value) : -7n));
  assert.deepEqual(out.int64.data, BigInt64Array.from(values));
  assert.deepEqual(out.uint64.data, BigUint64Array.from(values));
  assert.deepEqual(out.y.data, Float32Array.of(2));
});

deviceTest('a computed output beyond 2^53 is an error that names it', async ({ device }) => {
  const b = planBuilder();
  b.symbol('n', 0, { element: 0 });
  b.input('n', 'int64', []);
  b.output('square', 'int64', [1], { content: [['*', 'n', 'n']] });
  const model = await loadPlan(b.plan, device);
  const square = (n) => model.run({ n: { data: BigInt64Array.of(n), dims: [] } });
  assert.deepEqual((await square(-3000000n)).square.data, BigInt64Array.of(9000000000000n));
  await rejects(
    square(2n ** 32n),
    'out-of-range',
    /^a value of output "square" cannot be computed for these input sizes/,
  );
});

deviceTest('inputs that no step reads are checked, and may be on the GPU', async ({ device }) => {
  const plan = mapPlan();
  const extent = plan.exprs.push(4) - 1;
  const unread = { name: 'unread', dtype: 'int64', dims: [4], shape: [extent] };
  plan.inputs.push(unread);
  const model = await loadPlan(plan, device);
  const y = async (value) => (await model.run({ x: f32(1, 2), unread: value })).y.data;
  assert.deepEqual(await y({ data: new BigInt64Array(4), dims: [4] }), Float32Array.of(2, 4));
  const buffer = device.createBuffer({ size: 16, usage: 0x4 });
  assert.deepEqual(await y({ buffer, dims: [4] }), Float32Array.of(2, 4));
  await rejects(y({ data: new BigInt64Array(3), dims: [3] }), 'bad-shape');
  await rejects(model.run({ x: f32(1) }), 'bad-input', /input "unread" .* is missing/);
});

deviceTest(
  'parameters are taken modulo 2^32, and sizes fill the uniform struct',
  async ({ device }) => {
    const b = planBuilder();
    b.symbol('n', 0, { axis: 0 });
    const x = b.tensor('n', -1, 0);
    const y = b.tensor(4, 0, 1);
    b.input('x', 'float32', ['n'], x);
    b.output('y', 'uint32', [4], { tensor: y });
    const kernel = `
struct Params { a: u32, b: u32, c: u32, d: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(1) fn main() { y[0] = p.a; y[1] = p.b; y[2] = p.c; y[3] = p.d; }`;
    const params = [['*', 'n', -1], 4294967295, ['+', 'n', 4294967296], ['*', 'n', 4294967296]];
    b.step(
      'params',
      params,
      [{ tensor: y }],
      [{ pipeline: b.pipeline('pt', kernel), workgroups: 1 }],
    );
    const model = await loadPlan(b.plan, device);
    const out = await model.run({ x: f32(1, 2, 3) });
    assert.deepEqual(out.y.data, Uint32Array.of(2 ** 32 - 3, 2 ** 32 - 1, 3, 0));
  },
);

deviceTest('more than 65535 workgroups are laid out in two dimensions', async ({ device }) => {
  // One value a workgroup, so that few values need many.
  const kernel = `
@group(0) @binding(0) var<uniform> count: u32;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(1) fn main(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = group.x + group.y * groups.x;
  if (i < count) { y[i] = i + 1u; }
}`;
  const b = planBuilder();
  b.symbol('n', 0, { element: 0 });
  const y = b.tensor('n', 0, 1);
  b.input('n', 'int32', []);
  b.output('y', 'uint32', ['n'], { tensor: y });
  b.step(
    'count',
    ['n'],
    [{ tensor: y }],
    [{ pipeline: b.pipeline('pt', kernel), workgroups: 'n' }],
  );
  const model = await loadPlan(b.plan, device);
  for (const n of [65535, 65536, 65537, 70001]) {
    const out = await model.run({ n: { data: Int32Array.of(n), dims: [] } });
    assert.equal(out.y.data.length, n);
    assert.ok(
      out.y.data.every((value, i) => value === i + 1),
      `${n} workgroups`,
    );
  }
});

deviceTest('the first form that applies runs', async ({ device, kind }) => {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const x = b.tensor('n', -1, 0);
  const y = b.tensor('n', 0, 1);
  b.input('x', 'float32', ['n'], x);
  b.output('y', 'float32', ['n'], { tensor: y });
  const form = (value, more) => ({
    pipeline: b.pipeline('ptt', mapKernel(`y[i] = ${value};`)),
    workgroups: ['//', ['+', 'n', 63], 64],
    ...more,
  });
  b.step(
    'forms',
    ['n', 0],
    [{ tensor: x }, { tensor: y }],
    [
      form('1.0', { features: ['no-such-feature'] }),
      form('2.0', { limits: { maxComputeWorkgroupStorageSize: 1 << 30 } }),
      form('3.0', { features: ['subgroups'], when: ['<', 'n', 4] }),
      form('4.0', { limits: { maxComputeWorkgroupStorageSize: 16384 }, when: ['<', 'n', 8] }),
      form('5.0', { when: 0 }),
      form('6.0', {}),
      form('7.0', {}),
    ],
  );
  const model = await loadPlan(b.plan, device);
  const value = async (n) => (await model.run({ x: f32(...new Array(n).fill(0)) })).y.data[0];
  assert.equal(await value(3), kind === 'full' ? 3 : 4);
  assert.equal(await value(7), 4);
  assert.equal(await value(8), 6);
});

deviceTest('only pipelines that may run are compiled', async ({ device, log, kind }) => {
  const plan = mapPlan();
  const [form] = plan.steps[0].forms;
  plan.pipelines.push({ pieces: [plan.pieces.push('this is not WGSL') - 1], bindings: 'ptt' });
  const broken = { ...form, pipeline: 1 };
  plan.exprs.push(0);
  plan.steps[0].forms = [
    { ...broken, features: ['no-such-feature'] },
    { ...broken, limits: { maxComputeWorkgroupStorageSize: 1 << 30 } },
    { ...broken, when: plan.exprs.length - 1 },
    form,
    broken,
  ];
  const model = await loadPlan(plan, device);
  assert.deepEqual((await model.run({ x: f32(1) })).y.data, Float32Array.of(2));
  assert.equal(log.pipelines, 1, kind);
});

deviceTest('several arenas, and tensors beyond the limits', async ({ device, log }) => {
  // Eight tensors that are all alive at the end, in buffers of at most 1024 bytes.
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const pipeline = b.pipeline('ptt', mapKernel('y[i] = x[i] + 1.0;'));
  let last = b.tensor('n', -1, 8);
  b.input('x', 'float32', ['n'], last);
  for (let i = 0; i < 8; ++i) {
    const next = b.tensor('n', i, 8);
    b.step(
      `add ${i}`,
      ['n', 0],
      [{ tensor: last }, { tensor: next }],
      [{ pipeline, workgroups: ['//', ['+', 'n', 63], 64] }],
    );
    b.output(`y${i}`, 'float32', ['n'], { tensor: next });
    last = next;
  }
  const model = await loadPlan(b.plan, device, [], {
    poison: true,
    limits: { maxBufferSize: 1024, maxStorageBufferBindingSize: 1024 },
  });
  const out = await model.run({ x: { data: new Float32Array(100).fill(1), dims: [100] } });
  for (let i = 0; i < 8; ++i)
    assert.deepEqual(out[`y${i}`].data, new Float32Array(100).fill(i + 2));
  assert.equal(log.largest['subbyte arena'], 1024);
  assert.equal(log.largest['subbyte staging'], 1024);
  await rejects(
    model.run({ x: { data: new Float32Array(300), dims: [300] } }),
    'limits',
    'these input sizes need a tensor of 0.001144 MiB, but this device takes 0.0009766 MiB at most: use smaller inputs',
  );
});

deviceTest('a model without inputs', async ({ device }) => {
  const b = planBuilder();
  const y = b.tensor(3, 0, 1);
  b.output('y', 'float32', [3], { tensor: y });
  const kernel = `
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(3) fn main(@builtin(local_invocation_index) i: u32) { y[i] = f32(i); }`;
  b.step('iota', [], [{ tensor: y }], [{ pipeline: b.pipeline('t', kernel), workgroups: 1 }]);
  const model = await loadPlan(b.plan, device);
  assert.deepEqual((await model.run({})).y.data, Float32Array.of(0, 1, 2));
});

deviceTest('a size that is computed to be negative is an error', async ({ device }) => {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const x = b.tensor('n', -1, 1);
  b.input('x', 'float32', ['n'], x);
  b.output('y', 'float32', [['+', 'n', -2]], { tensor: x });
  const model = await loadPlan(b.plan, device);
  assert.equal((await model.run({ x: f32(1, 2, 3) })).y.data.length, 1);
  await rejects(
    model.run({ x: f32(1) }),
    'bad-shape',
    'these input sizes give output "y" a negative size: dimension 0 would be -1',
  );
});

deviceTest('a plan that WebGPU refuses is said to be a defect', async ({ device }) => {
  const plan = mapPlan();
  // Both bindings are written, and they overlap.
  plan.steps[0].bindings = [{ tensor: 0 }, { tensor: 0 }];
  const model = await loadPlan(plan, device);
  await rejects(model.run({ x: f32(1) }), 'internal', /^WebGPU refused the run: /);
  await rejects(model.run({ x: f32(1) }), 'internal');
});
