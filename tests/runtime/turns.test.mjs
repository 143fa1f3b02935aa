// Segments that are skipped, repeated, ended early or run at load, and steps that only some devices have.
import assert from 'node:assert/strict';
import {
  deviceTest,
  f32,
  makeModule,
  mapKernel,
  planBuilder,
  rejects,
  settle,
} from './support.mjs';

const groups = (count) => ['//', ['+', count, 63], 64];

/** A step that maps tensor `x` to `y` word by word; `extra` is the kernel's second parameter. */
function map(b, name, count, extra, x, y, body, more = {}) {
  const pipeline = b.pipeline('ptt', mapKernel(body));
  const at = b.step(
    name,
    [count, extra],
    [{ tensor: x }, { tensor: y }],
    [{ pipeline, workgroups: groups(count) }],
  );
  Object.assign(b.plan.steps[at], more);
}

async function loadPlan(device, plan, contents = []) {
  const { load } = await makeModule(plan, contents);
  return load({ device, internal: { poison: true } });
}

/** What is read back in a run of `model`, in submitted pieces of work and copies into staging buffers. */
async function counted(log, run) {
  const before = { submits: log.submits, writes: log.writes };
  const out = await run();
  return { out, submits: log.submits - before.submits };
}

/** y = x + 1 where `condition` of n and the input `flag` holds, else x - 1. */
function branchPlan(condition) {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  b.symbol('flag', 1, { element: 0 });
  const x = b.tensor('n', -1, 1);
  const y = b.tensor('n', 0, 2);
  b.input('x', 'float32', ['n'], x);
  b.input('flag', 'bool', [], undefined);
  b.output('y', 'float32', ['n'], { tensor: y });
  map(b, 'then', 'n', 0, x, y, 'y[i] = x[i] + 1.0;');
  map(b, 'else', 'n', 0, x, y, 'y[i] = x[i] - 1.0;');
  b.plan.segments = [
    { when: b.e(condition), steps: 1 },
    { when: b.e(['==', condition, 0]), steps: 1 },
  ];
  return b.plan;
}

deviceTest('a segment is skipped where its condition is 0', async ({ device, log }) => {
  const flag = (value) => ({ data: Uint8Array.of(value), dims: [] });
  for (const [condition, holds] of [
    ['flag', (n, set) => set],
    [['<', 3, 'n'], (n) => n > 3],
  ]) {
    const model = await loadPlan(device, branchPlan(condition));
    for (const x of [[1], [1, 2, 3, 4, 5]]) {
      for (const set of [true, false]) {
        const inputs = { x: f32(...x), flag: flag(set ? 1 : 0) };
        const { out, submits } = await counted(log, () => model.run(inputs));
        const add = holds(x.length, set) ? 1 : -1;
        assert.deepEqual(
          out.y.data,
          Float32Array.from(x, (v) => v + add),
        );
        // Nothing is read back to decide.
        assert.equal(submits, 1);
      }
    }
    model.dispose();
  }
});

deviceTest('a condition that the GPU computes is read back', async ({ device, log }) => {
  const b = planBuilder();
  const x = b.tensor(1, -1, 2);
  const found = b.tensor(1, 0, 0);
  const y = b.tensor(2, 1, 3);
  b.plan.symbols.push({ name: 'positive', tensor: found, most: b.e(1) });
  const size = ['?', 'positive', 2, 1];
  b.input('x', 'float32', [1], x);
  b.output('y', 'float32', [size], { tensor: y });
  const compare = mapKernel('y[i] = select(0u, 1u, bitcast<f32>(x[i]) > 0.0);', 'u32');
  b.step(
    'compare',
    [1, 0],
    [{ tensor: x }, { tensor: found }],
    [{ pipeline: b.pipeline('ptt', compare), workgroups: 1 }],
  );
  map(b, 'then', 2, 0, x, y, 'y[i] = x[0] * f32(i + 1u);');
  map(b, 'else', 1, 0, x, y, 'y[i] = -x[0];');
  b.plan.segments = [
    { steps: 1, symbols: [0] },
    { when: b.e('positive'), steps: 1 },
    { when: b.e(['==', 'positive', 0]), steps: 1 },
  ];
  const model = await loadPlan(device, b.plan);
  assert.deepEqual((await model.run({ x: f32(3) })).y.data, Float32Array.of(3, 6));
  assert.deepEqual((await model.run({ x: f32(-4) })).y.data, Float32Array.of(4));
  assert.deepEqual((await model.run({ x: f32(5) })).y.data, Float32Array.of(5, 10));
});

/** A state that begins as x and becomes 2 * state + turn, `count` times; `trace` has each of them. */
function recurrencePlan(count, { stop } = {}) {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  b.plan.symbols.push({ name: 'turns', most: b.e(count) });
  const x = b.tensor('n', -1, 0);
  const state = b.tensor('n', 0, 5);
  const next = b.tensor('n', 1, 3);
  const trace = b.tensor(['*', count, 'n'], 1, 5);
  const going = b.tensor(1, 1, 4);
  b.input('x', 'float32', ['n'], x);
  b.output('last', 'float32', ['n'], { tensor: state });
  b.output('trace', 'float32', ['turns', 'n'], { tensor: trace });
  b.output('turns', 'int64', [], { content: ['turns'] });
  map(b, 'begin', 'n', 0, x, state, 'y[i] = x[i];');
  map(b, 'next', 'n', 'turns', state, next, 'y[i] = 2.0 * x[i] + f32(p.extra);');
  map(b, 'trace', 'n', ['*', 'turns', 'n'], next, trace, 'y[p.extra + i] = x[i];');
  map(b, 'keep', 'n', 0, next, state, 'y[i] = x[i];');
  const repeat = { repeat: b.e(count), turn: 1, steps: 3 };
  if (stop !== undefined) {
    b.plan.symbols.push({ name: 'going', tensor: going, most: b.e(1) });
    const compare = `y[i] = select(0u, 1u, bitcast<f32>(x[0]) < ${stop}.0);`;
    b.step(
      'going',
      [1, 0],
      [{ tensor: state }, { tensor: going }],
      [{ pipeline: b.pipeline('ptt', mapKernel(compare, 'u32')), workgroups: 1 }],
    );
    Object.assign(repeat, { steps: 4, symbols: [2], while: b.e('going') });
  }
  b.plan.segments = [{ steps: 1 }, repeat];
  return b.plan;
}

function recurrence(x, count, stop = Infinity) {
  const trace = [];
  let state = [...x];
  let turns = 0;
  while (turns < count) {
    state = state.map((v) => 2 * v + turns);
    trace.push(...state);
    ++turns;
    if (!(state[0] < stop)) break;
  }
  return { last: Float32Array.from(state), trace: Float32Array.from(trace), turns };
}

function same({ last, trace, turns }, expected, n) {
  assert.deepEqual(last.data, expected.last);
  assert.deepEqual(trace.data, expected.trace);
  assert.deepEqual(trace.dims, [expected.turns, n]);
  assert.deepEqual(turns.data, BigInt64Array.of(BigInt(expected.turns)));
}

deviceTest('a segment is repeated without reading back', async ({ device, log }) => {
  const constant = await loadPlan(device, recurrencePlan(5));
  const first = await counted(log, () => constant.run({ x: f32(1, 2, 3) }));
  same(first.out, recurrence([1, 2, 3], 5), 3);
  // All outputs come back in one buffer, and nothing did before.
  assert.equal(log.count['subbyte staging'], 1);
  constant.dispose();
  const model = await loadPlan(device, recurrencePlan('n'));
  for (const x of [[1, 2, 3], [], [7], [1, 2, 3, 4, 5, 6]]) {
    same(await model.run({ x: f32(...x) }), recurrence(x, x.length), x.length);
  }
});

deviceTest('a segment ends early by what it computes', async ({ device }) => {
  const model = await loadPlan(device, recurrencePlan(9, { stop: 30 }));
  for (const x of [
    [1, 2],
    [100, 0],
    [-100, 1],
    [0, 0],
  ]) {
    same(await model.run({ x: f32(...x) }), recurrence(x, 9, 30), 2);
  }
});

deviceTest('runs that overlap repeat with memory of their own', async ({ device }) => {
  const model = await loadPlan(device, recurrencePlan('n', { stop: 1000 }));
  const inputs = Array.from({ length: 6 }, (_, k) =>
    Array.from({ length: k + 1 }, (_, i) => i + k),
  );
  const runs = inputs.map((x) => model.run({ x: f32(...x) }));
  for (const [k, out] of (await Promise.all(runs)).entries()) {
    same(out, recurrence(inputs[k], inputs[k].length, 1000), inputs[k].length);
  }
});

deviceTest('segments are repeated within a segment', async ({ device }) => {
  const b = planBuilder();
  b.plan.symbols.push({ name: 'i', most: b.e(3) }, { name: 'j', most: b.e(3) });
  const x = b.tensor(1, -1, 0);
  const sum = b.tensor(1, 0, 3);
  const next = b.tensor(1, 1, 2);
  b.input('x', 'float32', [1], x);
  b.output('y', 'float32', [1], { tensor: sum });
  map(b, 'begin', 1, 0, x, sum, 'y[i] = x[i];');
  map(b, 'next', 1, ['+', ['*', 'i', 10], 'j'], sum, next, 'y[i] = x[i] + f32(p.extra);');
  map(b, 'keep', 1, 0, next, sum, 'y[i] = x[i];');
  // j below i, and not where i is 1.
  const inner = { when: b.e(['<', 'i', 3]), repeat: b.e('i'), turn: 1, steps: 2 };
  const outer = {
    when: b.e(1),
    repeat: b.e(3),
    turn: 0,
    segments: [{ when: b.e(['==', ['==', 'i', 1], 0]), segments: [inner] }],
  };
  b.plan.segments = [{ steps: 1 }, outer];
  const model = await loadPlan(device, b.plan);
  assert.deepEqual((await model.run({ x: f32(5) })).y.data, Float32Array.of(5 + 20 + 21));
});

/** y = x + table, where two steps at load make the table of 4 values out of a weight. */
function oncePlan() {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const x = b.tensor('n', -1, 2);
  const between = b.tensor(4, 0, 1);
  const table = b.tensor(4, 1, 3);
  const y = b.tensor('n', 2, 3);
  const weight = b.weight({ file: 0, offset: 0, bytes: 16 });
  b.input('x', 'float32', ['n'], x);
  b.output('y', 'float32', ['n'], { tensor: y });
  b.output('table', 'float32', [4], { tensor: table });
  const reversed = `
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) { y[i] = w[3u - i]; }`;
  b.step(
    'repack',
    [],
    [{ weight }, { tensor: between }],
    [{ pipeline: b.pipeline('wt', reversed), workgroups: 1 }],
  );
  map(b, 'double', 4, 2, between, table, 'y[i] = x[i] * f32(p.extra);');
  const add = `
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {
  if (i < p.count) { y[i] = x[i] + w[i]; }
}`;
  b.step(
    'add',
    ['n'],
    [{ tensor: x }, { tensor: table }, { tensor: y }],
    [{ pipeline: b.pipeline('pttt', add), workgroups: 1 }],
  );
  b.plan.segments = [{ once: true, steps: 2 }, { steps: 1 }];
  return b.plan;
}

deviceTest('a segment runs once, at load', async ({ device, log }) => {
  const words = Float32Array.of(1, 2, 3, 4);
  const model = await loadPlan(device, oncePlan(), [new Uint8Array(words.buffer)]);
  assert.equal(log.count['subbyte fixed'], 2);
  for (const x of [[0, 0, 0, 0], [1, 1, 1], [10]]) {
    const { out, submits } = await counted(log, () => model.run({ x: f32(...x) }));
    assert.deepEqual(
      out.y.data,
      Float32Array.from(x, (v, i) => v + 2 * (4 - i)),
    );
    assert.deepEqual(out.table.data, Float32Array.of(8, 6, 4, 2));
    assert.equal(submits, 1);
  }
  const { table: kept } = await model.run({ x: f32(1) }, { keep: ['table'] });
  model.dispose();
  assert.deepEqual((await kept.read()).data, Float32Array.of(8, 6, 4, 2));
  kept.dispose();
  assert.equal(log.liveBytes, 0);
});

deviceTest('an abort while the steps of load run frees what they made', async ({ device, log }) => {
  const { load } = await makeModule(oncePlan(), [new Uint8Array(16)]);
  const createBuffer = device.createBuffer.bind(device);
  for (const label of ['subbyte fixed', 'subbyte parameters']) {
    const controller = new AbortController();
    Object.defineProperty(device, 'createBuffer', {
      configurable: true,
      value: (descriptor) => {
        if (descriptor.label === label) controller.abort(new Error('enough'));
        return createBuffer(descriptor);
      },
    });
    const { signal } = controller;
    await rejects(load({ device, signal }), 'aborted', 'loading was aborted: enough');
    await device.queue.onSubmittedWorkDone();
    await settle();
    assert.equal(log.liveBytes, 0);
  }
  // Aborted before they begin, while their kernels compile.
  const compile = device.createComputePipelineAsync.bind(device);
  const controller = new AbortController();
  Object.defineProperty(device, 'createComputePipelineAsync', {
    configurable: true,
    value: async (descriptor) => {
      const pipeline = await compile(descriptor);
      if (descriptor.label !== 'repack') return pipeline;
      controller.abort(new Error('enough'));
      await settle();
      return pipeline;
    },
  });
  await rejects(load({ device, signal: controller.signal }), 'aborted');
  await settle();
  assert.equal(log.liveBytes, 0);
});

deviceTest('a step vanishes on a device that lacks what it needs', async ({ device }) => {
  const b = planBuilder();
  const x = b.tensor(1, -1, 2);
  const y = b.tensor(1, 0, 3);
  b.input('x', 'float32', [1], x);
  b.output('y', 'float32', [1], { tensor: y });
  map(b, 'all', 1, 0, x, y, 'y[i] = x[i];');
  const lacks = [{ features: ['no-such-feature'] }, { limits: { maxComputeWorkgroupSizeX: 1e9 } }];
  lacks.forEach((needs) => map(b, 'some', 1, 0, x, y, 'y[i] = 100.0;', { device: needs }));
  const has = { limits: { maxComputeWorkgroupSizeX: 64 } };
  map(b, 'these', 1, 0, x, y, 'y[i] += 1.0;', { device: has });
  const model = await loadPlan(device, b.plan);
  assert.deepEqual((await model.run({ x: f32(3) })).y.data, Float32Array.of(4));
});
