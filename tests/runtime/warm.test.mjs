// What load compiles, what it leaves for later, and runs that have to wait for a form.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  deviceTest,
  internals,
  makeDevice,
  makeModule,
  mapKernel,
  mapPlan,
  planBuilder,
  rejects,
  settle,
} from './support.mjs';

const { likelySymbols } = await internals('warm.ts');

/** y = x times 1 below 10 values, times 2 below 100, times 3 below 1000, else times 4. */
function formsPlan(broken = '') {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 1 });
  const x = b.tensor('n', -1, 1);
  const y = b.tensor('n', 0, 1);
  b.input('x', 'float32', [1, 'n'], x);
  b.output('y', 'float32', [1, 'n'], { tensor: y });
  const workgroups = ['//', ['+', 'n', 63], 64];
  const form = (factor, when) => ({
    pipeline: b.pipeline(
      'ptt',
      mapKernel(`y[i] = ${factor} * x[i];${factor === broken ? 'no' : ''}`),
    ),
    workgroups,
    when,
  });
  const forms = [
    form('1.0', ['<', 'n', 10]),
    form('2.0', ['<', 'n', 100]),
    form('3.0', ['<', 'n', 1000]),
  ];
  b.step('scale', ['n', 0], [{ tensor: x }, { tensor: y }], [...forms, form('4.0')]);
  return b.plan;
}

/** Holds back the compiling of pipelines until they are released, one or all. */
function holdPipelines(device) {
  const original = device.createComputePipelineAsync.bind(device);
  const held = [];
  let hold = true;
  Object.defineProperty(device, 'createComputePipelineAsync', {
    configurable: true,
    value: async (descriptor) => {
      const made = original(descriptor);
      made.catch(() => {});
      if (hold) await new Promise((resolve) => held.push(resolve));
      return made;
    },
  });
  return {
    count: () => held.length,
    release: (all = true) => {
      hold = !all;
      held.splice(0).forEach((resolve) => resolve());
    },
  };
}

const filled = (n, value = 1) => ({ data: new Float32Array(n).fill(value), dims: [1, n] });
const until = async (condition) => {
  for (let i = 0; i < 400 && !condition(); ++i) await settle();
  assert.ok(condition());
};

deviceTest('load waits for what the first sizes use, the rest follows', async ({ device, log }) => {
  const { load } = await makeModule(formsPlan());
  const events = [];
  const onProgress = ({ phase, ...rest }) => phase === 'compile' && events.push(rest);
  const model = await load({ device, onProgress });
  assert.equal(log.pipelines, 1);
  assert.deepEqual(events, [{ loaded: 1, total: 1 }]);
  await until(() => log.pipelines === 4);
  assert.equal(events.length, 1);
  for (const [n, factor] of [
    [5, 1],
    [32, 2],
    [500, 3],
    [2000, 4],
  ]) {
    assert.deepEqual((await model.run({ x: filled(n) })).y.data, new Float32Array(n).fill(factor));
  }
  assert.equal(log.pipelines, 4);
});

deviceTest('warm says which sizes the first run will have', async ({ device }) => {
  for (const [n, factor] of [
    [5, 1],
    [500, 3],
    [5000, 4],
  ]) {
    const { load } = await makeModule(formsPlan());
    const held = holdPipelines(device);
    const loading = load({ device, warm: { dims: { n } } });
    await until(() => held.count() === 1);
    held.release(false);
    const model = await loading;
    // Only the form that these sizes use has been compiled.
    const { y } = await model.run({ x: filled(n) });
    assert.deepEqual(y.data, new Float32Array(n).fill(factor));
    held.release();
    model.dispose();
    delete device.createComputePipelineAsync;
  }
});

deviceTest('warm is checked', async ({ device, log }) => {
  const { load } = await makeModule(formsPlan());
  for (const [warm, message] of [
    [{ dims: { m: 3 } }, 'load({ warm }): the model has no dim "m" of its inputs: it has "n"'],
    [{ dims: { n: 2.5 } }, 'load({ warm }): dim "n" must be a whole number from 0 on, not 2.5'],
    [{ dims: { n: -1 } }, /not -1$/],
    [{ dims: { n: '3' } }, /not 3$/],
    [{ dims: [3] }, 'load({ warm }): dims must be an object of numbers by name, not Array'],
    [{ sizes: {} }, 'load({ warm }): there is no "sizes" in it; there is dims'],
    [true, 'load({ warm }): an object { dims } is wanted, not Boolean'],
  ]) {
    await rejects(load({ device, warm }), 'bad-option', message);
  }
  const fixed = await makeModule({ ...mapPlan(), symbols: [] });
  await rejects(
    fixed.load({ device, warm: { dims: { n: 1 } } }),
    'bad-option',
    'load({ warm }): the model has no dim "n" of its inputs: it has none',
  );
  assert.equal(log.pipelines, 0);
});

test('sizes that nobody gives are those of one sentence, line or page', () => {
  const plan = {
    symbols: [
      { name: 'batch', input: 0, axis: 0 },
      { name: 'sequence', input: 0, axis: 1 },
      { name: 'width', input: 1, axis: 3 },
      { name: 'h', input: 2, axis: 2 },
      { name: 'w', input: 2, axis: 3 },
      { name: 'shape[0]', input: 3, element: 0 },
    ],
    inputs: [
      { dims: ['batch', 'sequence'] },
      { dims: [1, 3, 48, 'width'] },
      { dims: ['batch', 3, 'h', 'w'] },
      { dims: [2] },
    ],
  };
  assert.deepEqual(likelySymbols(plan, new Map()), [1, 32, 320, 640, 640, 1]);
  const named = new Map([
    ['batch', 8],
    ['w', 64],
    ['shape[0]', 5],
  ]);
  assert.deepEqual(likelySymbols(plan, named), [8, 32, 320, 640, 64, 1]);
});

deviceTest('a run waits for its own form only', async ({ device }) => {
  const { load } = await makeModule(formsPlan());
  const model = await load({ device, internal: { poison: true } });
  const held = holdPipelines(device);
  const waiting = model.run({ x: filled(500) });
  let done = false;
  waiting.then(() => (done = true));
  // A run whose form is there does not wait for it.
  assert.deepEqual((await model.run({ x: filled(50) })).y.data, new Float32Array(50).fill(2));
  await until(() => held.count() >= 1);
  assert.equal(done, false);
  held.release();
  assert.deepEqual((await waiting).y.data, new Float32Array(500).fill(3));
});

deviceTest('a run that waits has read its inputs', async ({ device, log }) => {
  const { load } = await makeModule(formsPlan());
  const model = await load({ device, internal: { poison: true } });
  const held = holdPipelines(device);
  const x = filled(500, 1);
  const fromArray = model.run({ x });
  x.data.fill(9);
  const usage = 0x80 | 0x4 | 0x8;
  const buffer = device.createBuffer({ size: 2048, usage });
  device.queue.writeBuffer(buffer, 0, new Float32Array(500).fill(2));
  const fromBuffer = model.run({ x: { buffer, dims: [1, 500] } }, { keep: ['y'] });
  device.queue.writeBuffer(buffer, 0, new Float32Array(500).fill(9));
  const kept = (await model.run({ x: filled(50, 4) }, { keep: ['y'] })).y;
  assert.deepEqual((await kept.read()).data, new Float32Array(50).fill(8));
  buffer.destroy();
  held.release();
  assert.deepEqual((await fromArray).y.data, new Float32Array(500).fill(3));
  assert.deepEqual((await (await fromBuffer).y.read()).data, new Float32Array(500).fill(6));
  model.dispose();
  kept.dispose();
  (await fromBuffer).y.dispose();
  assert.equal(log.liveBytes, 2048 - 2048);
});

deviceTest(
  'a form that does not compile is an error of the runs that need it',
  async ({ device }) => {
    const { load } = await makeModule(formsPlan('3.0'));
    const model = await load({ device });
    for (let i = 0; i < 2; ++i) {
      await rejects(
        model.run({ x: filled(500) }),
        'compile',
        /^the kernel of the step "scale" does not compile on this device: line /,
      );
      assert.deepEqual((await model.run({ x: filled(50) })).y.data, new Float32Array(50).fill(2));
    }
    assert.deepEqual((await model.run({ x: filled(5000) })).y.data, new Float32Array(5000).fill(4));
    await rejects(load({ device, warm: { dims: { n: 500 } } }), 'compile');
  },
);

deviceTest('dispose while pipelines compile', async ({ device, log }) => {
  const { load } = await makeModule(formsPlan());
  const model = await load({ device });
  const held = holdPipelines(device);
  const waiting = model.run({ x: filled(500) });
  model.dispose();
  await rejects(model.run({ x: filled(50) }), 'disposed');
  const { pipelines } = log;
  held.release();
  assert.deepEqual((await waiting).y.data, new Float32Array(500).fill(3), 'a run under way ends');
  for (let i = 0; i < 5; ++i) await settle();
  assert.ok(log.pipelines <= pipelines + 1, 'nothing more is compiled');
  assert.equal(log.liveBytes, 0);
});

for (const owned of [false, true]) {
  test(`a device that is lost while pipelines compile: ${owned ? 'its own' : 'handed in'}`, async () => {
    const unhandled = [];
    const note = (reason) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    const { load } = await makeModule(formsPlan());
    const model = await load(owned ? {} : { device: await makeDevice() });
    const held = holdPipelines(model.device);
    const waiting = model.run({ x: filled(500) });
    const other = model.run({ x: filled(5000) });
    model.device.destroy();
    held.release();
    await rejects(waiting, 'device-lost');
    await rejects(other, 'device-lost');
    await rejects(model.run({ x: filled(5) }), 'device-lost');
    for (let i = 0; i < 5; ++i) await settle();
    process.off('unhandledRejection', note);
    assert.deepEqual(unhandled, []);
    model.dispose();
  });
}

test('dispose of a model with a device of its own while pipelines compile', async () => {
  const { load } = await makeModule(formsPlan());
  const model = await load();
  const held = holdPipelines(model.device);
  await until(() => held.count() > 0);
  model.dispose();
  held.release();
  assert.equal((await model.device.lost).reason, 'destroyed');
  for (let i = 0; i < 5; ++i) await settle();
  await rejects(model.run({ x: filled(5) }), 'disposed');
});

deviceTest('a model of fixed sizes compiles what they use', async ({ device, log }) => {
  const plan = formsPlan();
  // The symbol becomes 500.
  plan.exprs[plan.exprs.findIndex((node) => node[0] === 's')] = 500;
  plan.symbols = [];
  const { load } = await makeModule(plan);
  const held = holdPipelines(device);
  const loading = load({ device });
  await until(() => held.count() === 1);
  held.release();
  const model = await loading;
  assert.deepEqual((await model.run({ x: filled(500) })).y.data, new Float32Array(500).fill(3));
  assert.ok(log.pipelines >= 1);
});
