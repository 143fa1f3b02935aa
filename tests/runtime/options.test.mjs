// Options: those that there are, outputs into the caller's arrays, and large inputs.
import assert from 'node:assert/strict';
import { deviceTest, f32, makeModule, mapPlan, planBuilder, rejects } from './support.mjs';

async function loadMap(device, ...args) {
  const { load } = await makeModule(mapPlan(...args));
  return load({ device, internal: { poison: true } });
}

deviceTest('options that there are not are refused by name', async ({ device, log }) => {
  const { load } = await makeModule(mapPlan());
  const loads = 'device, onProgress, signal, weights, requestInit, warm, cache';
  await rejects(
    load({ device, devise: 1 }),
    'bad-option',
    `load: there is no option "devise"; there are ${loads}`,
  );
  for (const name of ['tune', 'session', 'generate', 'profile']) {
    await rejects(
      load({ device, [name]: true }),
      'bad-option',
      `load: the option "${name}" is not supported by this version; there are ${loads}`,
    );
  }
  const wrong = [
    [{ device: {} }, 'device must be a GPUDevice, not object'],
    [{ device: 3 }, 'device must be a GPUDevice, not Number'],
    [{ onProgress: 3 }, 'onProgress must be a function, not Number'],
    [{ onProgress: {} }, 'onProgress must be a function, not object'],
    [{ signal: new AbortController() }, 'signal must be an AbortSignal, not AbortController'],
    [{ signal: true }, 'signal must be an AbortSignal, not Boolean'],
    [{ requestInit: 'include' }, 'requestInit must be an object, not String'],
    [{ cache: 'no' }, 'cache must be true or false, not String'],
    [{ cache: 0 }, 'cache must be true or false, not Number'],
  ];
  for (const [options, message] of wrong) {
    const [name] = Object.keys(options);
    await rejects(load({ device, ...options }), 'bad-option', `load({ ${name} }): ${message}`);
  }
  await rejects(load({ device, toString: 1 }), 'bad-option', /there is no option "toString"/);
  await rejects(load(null), 'bad-option', 'the options of load() must be an object, not null');
  assert.equal(log.buffersMade, 0);
  const nothing = {
    onProgress: null,
    signal: null,
    requestInit: null,
    cache: null,
    tune: undefined,
  };
  const model = await load({ device, ...nothing });
  const x = f32(1);
  await rejects(
    model.run({ x }, { kept: [] }),
    'bad-option',
    'run: there is no option "kept"; there are keep, into',
  );
  await rejects(
    model.run({ x }, { profile: true }),
    'bad-option',
    'run: the option "profile" is not supported by this version; there are keep, into',
  );
  await rejects(model.run({ x }, 'y'), 'bad-option', /must be an object, not String$/);
  assert.deepEqual((await model.run({ x }, { keep: undefined })).y.data, Float32Array.of(2));
});

deviceTest('outputs are written into the arrays of the caller', async ({ device }) => {
  const model = await loadMap(device);
  const room = new Float32Array(6);
  const y = room.subarray(2, 5);
  for (let i = 1; i < 3; ++i) {
    const out = await model.run({ x: f32(i, 2, 3) }, { into: { y } });
    assert.equal(out.y.data, y);
    assert.deepEqual([out.y.dims, out.y.dtype], [[3], 'float32']);
    assert.deepEqual(room, Float32Array.of(0, 0, 2 * i, 4, 6, 0));
  }
  // An output may be written over the input that it came from.
  const x = f32(1, 2, 3);
  await model.run({ x }, { into: { y: x.data } });
  assert.deepEqual(x.data, Float32Array.of(2, 4, 6));
  assert.deepEqual(
    (await model.run({ x: f32() }, { into: { y: new Float32Array() } })).y.dims,
    [0],
  );
  const shared = new Float32Array(new SharedArrayBuffer(12));
  await model.run({ x: f32(5, 6, 7) }, { into: { y: shared } });
  assert.deepEqual([...shared], [10, 12, 14]);
});

deviceTest('arrays that an output does not fit are refused', async ({ device, log }) => {
  const plan = mapPlan();
  plan.outputs.push({ ...plan.outputs[0], name: 'z' });
  const { load } = await makeModule(plan);
  const model = await load({ device });
  const run = (options) => model.run({ x: f32(1, 2, 3) }, options);
  const y = new Float32Array(3);
  for (const [into, code, message] of [
    [{ w: y }, 'bad-output', 'into: the model has no output "w": it has "y", "z"'],
    [
      { y: new Float64Array(3) },
      'bad-dtype',
      'into: output "y" is float32: its array must be a Float32Array, not Float64Array',
    ],
    [{ y: [1, 2, 3] }, 'bad-dtype', /must be a Float32Array, not Array$/],
    [
      { y: new Float32Array(4) },
      'bad-shape',
      'into: output "y" has dims [3], 3 values, but the array has 4',
    ],
    [y, 'bad-option', /^run\(inputs, \{ into \}\): into must be an object .* not Float32Array$/],
    [{ y, z: y.subarray(0, 3) }, 'bad-option', 'into: the arrays of outputs "y" and "z" overlap'],
  ]) {
    await rejects(run({ into }), code, message);
  }
  await rejects(
    run({ keep: ['y'], into: { y } }),
    'bad-option',
    'output "y" is named by both keep and into',
  );
  assert.equal(log.submits, 0);
  const pending = run({ into: { y } });
  structuredClone(y, { transfer: [y.buffer] });
  await rejects(
    pending,
    'bad-option',
    'into: the array of output "y" changed its length during the run',
  );
  assert.deepEqual((await run()).y.data, Float32Array.of(2, 4, 6));
});

deviceTest('every dtype is written into an array of its own type', async ({ device }) => {
  for (const [dtype, type, data] of [
    ['float16', 'f32', Uint16Array.of(0x3c00, 0xc000)],
    ['bfloat16', 'f32', Uint16Array.of(0x3f80, 0xc000)],
    ['float64', 'f32', Float64Array.of(1.5, -2)],
    ['int64', 'i32', BigInt64Array.of(-3n, 4n)],
    ['int8', 'i32', Int8Array.of(-3, 4)],
    ['uint64', 'u32', BigUint64Array.of(3n, 4n)],
    ['uint16', 'u32', Uint16Array.of(3, 4)],
    ['uint8', 'u32', Uint8Array.of(3, 4)],
    ['bool', 'u32', Uint8Array.of(1, 0)],
  ]) {
    const model = await loadMap(device, 'y[i] = x[i];', dtype, type);
    const y = new data.constructor(2);
    const out = await model.run({ x: { data, dims: [2] } }, { into: { y } });
    assert.equal(out.y.data, y);
    assert.deepEqual(y, data, dtype);
  }
});

deviceTest('what the CPU knows goes into arrays too', async ({ device }) => {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const x = b.input('x', 'int64', ['n']);
  b.output('y', 'int64', ['n'], { input: x });
  b.output('count', 'int32', [1], { content: ['n'] });
  const { load } = await makeModule(b.plan);
  const model = await load({ device });
  const into = { y: new BigInt64Array(2), count: new Int32Array(1) };
  const out = await model.run({ x: { data: Int32Array.of(7, -8), dims: [2] } }, { into });
  assert.deepEqual([out.y.data, out.count.data], [into.y, into.count]);
  assert.deepEqual(into, { y: BigInt64Array.of(7n, -8n), count: Int32Array.of(2) });
});

deviceTest('arrays may be those that other outputs come from', async ({ device }) => {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  for (const name of ['x', 'y']) b.input(name, 'int64', ['n']);
  b.output('first', 'int64', ['n'], { input: 0 });
  b.output('second', 'int64', ['n'], { input: 1 });
  const { load } = await makeModule(b.plan);
  const model = await load({ device });
  const [x, y] = [BigInt64Array.of(1n, 2n), BigInt64Array.of(3n, 4n)];
  const dims = [2];
  const into = { first: y, second: x };
  const out = await model.run({ x: { data: x, dims }, y: { data: y, dims } }, { into });
  assert.deepEqual([out.first.data, out.second.data], [y, x]);
  assert.deepEqual([x, y], [BigInt64Array.of(3n, 4n), BigInt64Array.of(1n, 2n)]);
});

deviceTest(
  'large inputs go through mapped buffers, which are used again',
  async ({ device, log }) => {
    const model = await loadMap(device);
    const n = 300000;
    const y = new Float32Array(n);
    const turn = async (value) => {
      await model.run({ x: { data: new Float32Array(n).fill(value), dims: [n] } }, { into: { y } });
      assert.ok(y.every((found) => found === 2 * value));
    };
    await turn(1);
    assert.ok(log.largest['subbyte upload'] >= 4 * n);
    const { buffersMade, writes } = log;
    for (let i = 2; i < 6; ++i) await turn(i);
    assert.equal(log.buffersMade, buffersMade);
    assert.equal(log.writes - writes, 4, 'the poison of each run, and no input');
    // Runs that overlap take as many as they need.
    const runs = [1, 2, 3].map((value) =>
      model.run({ x: { data: new Float32Array(n).fill(value), dims: [n] } }),
    );
    for (const [i, run] of runs.entries()) {
      const { data } = (await run).y;
      assert.ok(data.every((found) => found === 2 * (i + 1)));
    }
    model.dispose();
    await device.queue.onSubmittedWorkDone();
    assert.equal(log.liveBytes, 0);
  },
);
