import assert from 'node:assert/strict';
import test from 'node:test';
import {
  deviceTest,
  f32,
  makeDevice,
  makeModule,
  mapPlan,
  observe,
  planBuilder,
  mapKernel,
  random,
  rejects,
  settle,
} from './support.mjs';

const poison = { poison: true };

async function loadMap(device, body, internal = poison) {
  const { load } = await makeModule(mapPlan(body));
  return load({ device, internal });
}

const filled = (n, value) => ({ data: new Float32Array(n).fill(value), dims: [n] });

/** Eight steps, each of which adds 1, so that tensors reuse the arena. */
function chainPlan() {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const pipeline = b.pipeline('ptt', mapKernel('y[i] = x[i] + 1.0;'));
  let last = b.tensor('n', -1, 0);
  b.input('x', 'float32', ['n'], last);
  for (let i = 0; i < 8; ++i) {
    const next = b.tensor('n', i, i + 1);
    b.step(
      `add ${i}`,
      ['n', 0],
      [{ tensor: last }, { tensor: next }],
      [{ pipeline, workgroups: ['//', ['+', 'n', 63], 64] }],
    );
    last = next;
  }
  b.output('y', 'float32', ['n'], { tensor: last });
  return b.plan;
}

deviceTest(
  'a repeated run makes no buffer, bind group or pipeline, and submits once',
  async ({ device, log }) => {
    const { load } = await makeModule(chainPlan());
    const model = await load({ device });
    const sizes = [100, 7, 5000];
    for (const n of sizes) await model.run({ x: filled(n, 1) });
    const { buffersMade, bindGroups, pipelines } = log;
    for (let round = 0; round < 3; ++round) {
      for (const n of sizes) {
        const before = { ...log };
        const { y } = await model.run({ x: filled(n, round) });
        assert.deepEqual(y.data, new Float32Array(n).fill(round + 8));
        assert.equal(log.submits, before.submits + 1);
        assert.equal(log.writes, before.writes + 1);
      }
    }
    assert.deepEqual(
      [log.buffersMade, log.bindGroups, log.pipelines],
      [buffersMade, bindGroups, pipelines],
    );
  },
);

deviceTest('twenty runs of different sizes overlap, each right', async ({ device }) => {
  const { load } = await makeModule(chainPlan());
  const model = await load({ device, internal: poison });
  const next = random(5);
  const runs = Array.from({ length: 20 }, (_, i) => {
    const n = 1 + Math.floor(next() * (i % 2 ? 10 : 3000));
    return { n, value: i, promise: model.run({ x: filled(n, i) }) };
  });
  for (const { n, value, promise } of runs) {
    const { y } = await promise;
    assert.deepEqual(y.data, new Float32Array(n).fill(value + 8));
  }
});

deviceTest('overlapping runs of one size do not disturb each other', async ({ device }) => {
  const model = await loadMap(device, 'y[i] = 2.0 * x[i];');
  const runs = Array.from({ length: 20 }, (_, i) => model.run({ x: filled(50, i) }));
  (await Promise.all(runs)).forEach(({ y }, i) => {
    assert.deepEqual(y.data, new Float32Array(50).fill(2 * i));
  });
});

deviceTest(
  'the eight allocations last used are kept, and what is evicted is freed',
  async ({ device, log }) => {
    const model = await loadMap(device, 'y[i] = 2.0 * x[i];');
    // Each twice the one before, so that no two share their memory.
    const run = (i) => model.run({ x: filled(64 << i, 1) });
    for (let i = 1; i <= 8; ++i) await run(i);
    assert.equal(log.buffersDestroyed, 0);
    const groups = log.bindGroups;
    await run(1);
    assert.equal(log.bindGroups, groups, 'the first is still kept');
    await run(9);
    assert.equal(log.buffersDestroyed, 2, 'the arena and the parameters of the second');
    await run(1);
    assert.equal(log.bindGroups, groups + 1, 'the first was used since');
    await run(2);
    assert.equal(log.bindGroups, groups + 2, 'the second was evicted');
    const round = async () => {
      for (let i = 1; i <= 9; ++i) await run(i);
      return log.liveBytes;
    };
    await round();
    const bytes = await round();
    for (let i = 0; i < 5; ++i) assert.equal(await round(), bytes);
    model.dispose();
    assert.equal(log.liveBytes, 0);
  },
);

deviceTest('fewer allocations are kept where their arenas are large', async ({ device, log }) => {
  const internal = { keptArenaBytes: 10 * 1024 };
  const model = await loadMap(device, 'y[i] = 2.0 * x[i];', internal);
  const run = (n) => model.run({ x: filled(n, 1) });
  await run(512); // an arena of 5 KiB, with the room for growth
  await run(384); // and one of 4
  assert.equal(log.buffersDestroyed, 0);
  await run(256);
  assert.equal(log.buffersDestroyed, 2);
  const groups = log.bindGroups;
  await run(384);
  assert.equal(log.bindGroups, groups);
  const { y } = await run(10000); // alone beyond the limit, and kept
  assert.equal(y.data.length, 10000);
  assert.equal(log.buffersDestroyed, 6);
  await run(10000);
  assert.equal(log.bindGroups, groups + 1);
});

deviceTest(
  'a size evicted while its run is under way still gives its result',
  async ({ device }) => {
    const { load } = await makeModule(chainPlan());
    const model = await load({ device, internal: poison });
    const first = model.run({ x: filled(4000, 5) });
    const rest = Array.from({ length: 12 }, (_, i) => model.run({ x: filled(i + 1, i) }));
    assert.deepEqual((await first).y.data, new Float32Array(4000).fill(13));
    await Promise.all(rest);
  },
);

deviceTest(
  'outputs that are kept stay on the GPU and go into the next run',
  async ({ device, log }) => {
    const model = await loadMap(device, 'y[i] = 2.0 * x[i];');
    const { y } = await model.run({ x: f32(1, 2, 3) }, { keep: ['y'] });
    assert.deepEqual([y.dims, y.dtype, y.offset], [[3], 'float32', 0]);
    assert.ok(y.buffer.size >= 12);
    assert.equal('data' in y, false);
    const second = (await model.run({ x: y }, { keep: ['y'] })).y;
    const third = (await model.run({ x: second })).y;
    assert.deepEqual(third.data, Float32Array.of(8, 16, 24));
    assert.deepEqual(await y.read(), {
      data: Float32Array.of(2, 4, 6),
      dims: [3],
      dtype: 'float32',
    });
    assert.deepEqual((await second.read()).data, Float32Array.of(4, 8, 12));
    y.dispose();
    y.dispose();
    await rejects(y.read(), 'disposed', 'the tensor has been disposed of');
    await rejects(
      model.run({ x: y }),
      'disposed',
      'input "x" is a tensor that has been disposed of',
    );
    second[Symbol.dispose]();

    const pair = await Promise.all([1, 2].map((v) => model.run({ x: f32(v) }, { keep: ['y'] })));
    assert.notEqual(pair[0].y.buffer, pair[1].y.buffer, 'a buffer given back twice is lent once');

    // A state that goes round: in the steady state nothing is made.
    let state = (await model.run({ x: f32(1, 1) }, { keep: ['y'] })).y;
    const turn = async () => {
      const old = state;
      state = (await model.run({ x: old }, { keep: ['y'] })).y;
      old.dispose();
    };
    for (let i = 0; i < 3; ++i) await turn();
    const made = log.buffersMade;
    const submits = log.submits;
    for (let i = 0; i < 6; ++i) await turn();
    assert.equal(log.buffersMade, made);
    assert.equal(log.submits, submits + 6);
    assert.deepEqual((await state.read()).data, Float32Array.of(1024, 1024));
  },
);

deviceTest('a state that is handed on without waiting', async ({ device }) => {
  const model = await loadMap(device, 'y[i] = 2.0 * x[i];');
  let state = f32(1, 3);
  for (let i = 0; i < 10; ++i) state = (await model.run({ x: state }, { keep: ['y'] })).y;
  assert.deepEqual((await state.read()).data, Float32Array.of(1024, 3072));
});

deviceTest('an input may be a buffer of the user, from an offset on', async ({ device }) => {
  const model = await loadMap(device, 'y[i] = 2.0 * x[i];');
  const buffer = device.createBuffer({ size: 64, usage: 0x4 | 0x8 });
  device.queue.writeBuffer(
    buffer,
    0,
    Float32Array.from({ length: 16 }, (_, i) => i),
  );
  const at = (offset, n, more) =>
    model.run({ x: { buffer, offset, dims: [n], dtype: 'float32', ...more } });
  assert.deepEqual((await at(0, 3)).y.data, Float32Array.of(0, 2, 4));
  assert.deepEqual((await at(4 * 13, 3)).y.data, Float32Array.of(26, 28, 30));
  assert.deepEqual((await model.run({ x: { buffer, dims: [2] } })).y.data, Float32Array.of(0, 2));
  await rejects(
    at(4 * 14, 3),
    'bad-shape',
    'input "x": 3 values of 4 bytes from byte 56 on do not fit its 64 bytes',
  );
  await rejects(at(2, 3), 'bad-input', 'input "x": offset must be a multiple of 4, not 2');
  await rejects(at(-4, 3), 'bad-input');
  await rejects(
    at(0, 3, { dtype: 'int32' }),
    'bad-dtype',
    'input "x" is float32, but the tensor given is int32',
  );
  await rejects(
    at(0, 3, { buffer: {} }),
    'bad-input',
    'input "x": buffer must be a GPUBuffer, not object',
  );
  const noCopy = device.createBuffer({ size: 64, usage: 0x80 });
  await rejects(
    at(0, 3, { buffer: noCopy }),
    'bad-input',
    'input "x": the buffer must be created with GPUBufferUsage.COPY_SRC',
  );
  // A buffer that WebGPU refuses is an error of the run, not of the page, and the model goes on.
  buffer.destroy();
  const wanted =
    /^input "x": its buffer must be made by model\.device, and be neither destroyed nor mapped: ./;
  await rejects(at(0, 3), 'bad-input', wanted);
  const other = await makeDevice();
  const far = other.createBuffer({ size: 64, usage: 0x4 | 0x8 | 0x80 });
  for (const offset of [0, 4]) await rejects(at(offset, 3, { buffer: far }), 'bad-input', wanted);
  const mapped = device.createBuffer({ size: 64, usage: 0x4 | 0x2, mappedAtCreation: true });
  await rejects(at(0, 3, { buffer: mapped }), 'bad-input', wanted);
  const kept = (await (await loadMap(other, 'y[i] = x[i];')).run({ x: f32(1) }, { keep: ['y'] })).y;
  await rejects(model.run({ x: kept }), 'bad-input', wanted);
  const imitation = { mapAsync() {}, size: 64, usage: 0x4 };
  await rejects(at(0, 3, { buffer: imitation }), 'bad-input', wanted);
  assert.deepEqual((await model.run({ x: f32(1) })).y.data, Float32Array.of(2));
  other.destroy();
});

deviceTest('of several buffers the one that WebGPU refuses is named', async ({ device }) => {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const [x, z] = [b.tensor('n', -1, 1), b.tensor('n', -1, 1)];
  b.input('x', 'float32', ['n'], x);
  b.input('z', 'float32', ['n'], z);
  const y = b.tensor('n', 0, 2);
  const pipeline = b.pipeline('ptt', mapKernel('y[i] = 2.0 * x[i];'));
  for (const tensor of [x, z]) {
    b.step('map', ['n', 0], [{ tensor }, { tensor: y }], [{ pipeline, workgroups: 1 }]);
  }
  b.output('y', 'float32', ['n'], { tensor: y });
  const { load } = await makeModule(b.plan);
  const model = await load({ device });
  const buffer = (destroyed) => {
    const made = device.createBuffer({ size: 16, usage: 0x4 | 0x80 });
    if (destroyed) made.destroy();
    return { buffer: made, dims: [4] };
  };
  await rejects(
    model.run({ x: buffer(false), z: buffer(true) }),
    'bad-input',
    /^input "z": its buffer must be made by model\.device/,
  );
  assert.deepEqual(
    (await model.run({ x: buffer(false), z: buffer(false) })).y.data,
    new Float32Array(4),
  );
});

deviceTest('a tensor on the GPU that is passed through is copied', async ({ device }) => {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  b.input('x', 'int64', ['n']);
  b.output('y', 'int64', ['n'], { input: 0 });
  b.output('z', 'int64', ['n'], { input: 0 });
  const { load } = await makeModule(b.plan);
  const model = await load({ device });
  const buffer = device.createBuffer({ size: 8, usage: 0x4 | 0x8 });
  device.queue.writeBuffer(buffer, 0, Int32Array.of(-3, 4));
  const out = await model.run({ x: { buffer, dims: [2], dtype: 'int64' } }, { keep: ['z'] });
  assert.deepEqual(out.y, { data: BigInt64Array.of(-3n, 4n), dims: [2], dtype: 'int64' });
  assert.notEqual(out.z.buffer, buffer);
  assert.deepEqual((await out.z.read()).data, BigInt64Array.of(-3n, 4n));
});

deviceTest('float16 and int64 stay in 32-bit words on the GPU', async ({ device }) => {
  const { load } = await makeModule(mapPlan('y[i] = x[i] + 1.0;', 'float16'));
  const model = await load({ device, internal: poison });
  const x = { data: Uint16Array.of(0x3c00, 0x4000), dims: [2] };
  const { y } = await model.run({ x }, { keep: ['y'] });
  assert.equal(y.dtype, 'float16');
  const again = (await model.run({ x: y })).y;
  assert.deepEqual(again.data, Uint16Array.of(0x4200, 0x4400));
  assert.deepEqual((await y.read()).data, Uint16Array.of(0x4000, 0x4200));
});

deviceTest(
  'dispose ends the model, once; a device that was handed in lives on',
  async ({ device, log }) => {
    const model = await loadMap(device, 'y[i] = 2.0 * x[i];');
    const kept = (await model.run({ x: f32(1, 2) }, { keep: ['y'] })).y;
    const pending = model.run({ x: f32(4) });
    model.dispose();
    model.dispose();
    model[Symbol.dispose]();
    await rejects(model.run({ x: f32(1) }), 'disposed', 'the model has been disposed of');
    assert.deepEqual((await pending).y.data, Float32Array.of(8), 'a run under way ends');
    assert.deepEqual(
      (await kept.read()).data,
      Float32Array.of(2, 4),
      "a kept tensor is the user's",
    );
    kept.dispose();
    await settle();
    assert.equal(log.destroyed, 0);
    assert.equal(log.liveBytes, 0, 'all memory is freed');
    const other = await loadMap(device, 'y[i] = x[i];');
    assert.deepEqual((await other.run({ x: f32(5) })).y.data, Float32Array.of(5));
    assert.equal(await Promise.race([model.lost, settle().then(() => 'no')]), 'no');
  },
);

test('with a device of its own, a run under way ends before the device is destroyed', async () => {
  const { load } = await makeModule(mapPlan());
  const model = await load();
  const kept = (await model.run({ x: f32(1) }, { keep: ['y'] })).y;
  const pending = model.run({ x: f32(4) });
  model.dispose();
  assert.deepEqual((await pending).y.data, Float32Array.of(8));
  assert.equal((await model.device.lost).reason, 'destroyed');
  await rejects(kept.read(), 'disposed');
  await rejects(model.run({ x: f32(1) }), 'disposed');
  assert.equal(
    await Promise.race([model.lost, settle().then(() => 'no')]),
    'no',
    'dispose is no loss',
  );
});

for (const owned of [false, true]) {
  test(`a lost device: ${owned ? 'its own' : 'handed in'}`, async () => {
    const { load } = await makeModule(mapPlan());
    const model = await load(owned ? {} : { device: await makeDevice() });
    const log = observe(model.device);
    const kept = (await model.run({ x: f32(1) }, { keep: ['y'] })).y;
    await model.run({ x: f32(1) });
    const pending = model.run({ x: filled(100000, 1) });
    model.device.destroy();
    // Refused at once, before the loss has been announced, and after.
    await Promise.all([
      rejects(model.run({ x: f32(1) }), 'device-lost'),
      rejects(
        pending,
        'device-lost',
        /^the GPU device was lost \(destroyed\): .*; load the model again$/,
      ),
    ]);
    const info = await model.lost;
    assert.equal(info.reason, 'destroyed');
    await rejects(model.run({ x: f32(1) }), 'device-lost');
    await rejects(model.run({ x: filled(77, 1) }), 'device-lost');
    await rejects(kept.read(), 'device-lost');
    model.dispose();
    await rejects(model.run({ x: f32(1) }), 'disposed');
    assert.deepEqual(log.errors, []);
  });
}

deviceTest(
  'memory that the GPU has not is an error, and the model goes on',
  async ({ device, log }) => {
    const model = await loadMap(device, 'y[i] = 2.0 * x[i];');
    // SwiftShader has memory enough: the error that a GPU reports is put in place of none.
    const original = device.popErrorScope.bind(device);
    let pops = 0;
    Object.defineProperty(device, 'popErrorScope', {
      configurable: true,
      value: async () => {
        const second = ++pops === 2;
        const error = await original();
        return second ? { message: 'out of memory' } : error;
      },
    });
    await rejects(
      model.run({ x: f32(1, 2) }),
      'out-of-memory',
      'the GPU has no room for these input sizes: out of memory',
    );
    assert.equal(log.buffersDestroyed, 2, 'the arena and the parameters');
    assert.deepEqual((await model.run({ x: f32(1, 2) })).y.data, Float32Array.of(2, 4));
    pops = 0;
    const { load } = await makeModule(mapPlan());
    const made = log.buffersMade;
    await rejects(
      load({ device }),
      'out-of-memory',
      'the GPU has no room for 0 MiB of weights: out of memory',
    );
    assert.equal(log.buffersMade, made);
  },
);

deviceTest('no run ends well with buffers that the GPU refused', async ({ device, log }) => {
  const original = device.createBuffer.bind(device);
  let refused = '';
  Object.defineProperty(device, 'createBuffer', {
    configurable: true,
    value: (descriptor) =>
      original(descriptor.label === refused ? { ...descriptor, size: 2 ** 40 } : descriptor),
  });
  for (const label of ['arena', 'parameters', 'staging', 'kept output', 'upload']) {
    const model = await loadMap(device, 'y[i] = 2.0 * x[i];', {});
    const options = label === 'kept output' ? { keep: ['y'] } : {};
    const n = label === 'upload' ? 300000 : 3;
    refused = `subbyte ${label}`;
    const runs = [1, 2, 3].map((value) => model.run({ x: filled(n, value) }, options));
    const outcomes = await Promise.allSettled(runs);
    assert.deepEqual(
      outcomes.map(({ status, reason }) => [status, reason?.code]),
      outcomes.map(() => ['rejected', label === 'upload' ? 'out-of-memory' : 'internal']),
      label,
    );
    refused = '';
    const again = await Promise.all([1, 2].map((value) => model.run({ x: filled(n, value) })));
    again.forEach(({ y }, i) =>
      assert.deepEqual(y.data, new Float32Array(n).fill(2 * (i + 1)), label),
    );
    const { y } = await model.run({ x: filled(n, 5) }, { keep: ['y'] });
    refused = 'subbyte staging';
    // The staging buffers of the runs before are there, so it is one more that is refused.
    const reads = await Promise.allSettled([y.read(), y.read(), y.read()]);
    assert.equal(reads.at(-1).status, 'rejected', label);
    refused = '';
    assert.deepEqual((await y.read()).data, new Float32Array(n).fill(10));
    y.dispose();
    model.dispose();
  }
  await device.queue.onSubmittedWorkDone();
  assert.equal(log.liveBytes, 0);
});

deviceTest('inputs and outputs may have any name', async ({ device }) => {
  const plan = mapPlan();
  plan.inputs[0].name = plan.outputs[0].name = '__proto__';
  plan.outputs.push({ ...plan.outputs[0], name: 'constructor' });
  const { load } = await makeModule(plan);
  const model = await load({ device });
  const out = await model.run({ ['__proto__']: f32(1, 2) });
  assert.deepEqual(Object.keys(out), ['__proto__', 'constructor']);
  const [own, other] = Object.values(out);
  assert.deepEqual(own, { data: Float32Array.of(2, 4), dims: [2], dtype: 'float32' });
  assert.deepEqual(other, own);
});

test('the tests notice an error that nobody caught', async () => {
  const device = await makeDevice();
  const log = observe(device);
  device.createBuffer({ size: 4, usage: 0xffff });
  await device.queue.onSubmittedWorkDone();
  await settle();
  assert.equal(log.errors.length, 1);
  device.destroy();
});

deviceTest('the tests notice a read of what was not written', async ({ device }) => {
  const plan = mapPlan('y[i] = 2.0 * x[i];');
  // The step is told to write one value too few.
  plan.steps[0].params[0] = plan.exprs.push(1) - 1;
  const { load } = await makeModule(plan);
  const model = await load({ device, internal: poison });
  assert.deepEqual([...(await model.run({ x: f32(1, 1) })).y.data], [2, NaN]);
});
