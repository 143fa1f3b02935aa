// A cache that grows by one a run against the same model at a fixed size, in one process, in turn.
//   node --import SHIM bench/gpu/growing_bench.mjs M.webgpu.js... [--past 256] [--steps 64] [--rounds 5] [--busy MS]
//        [--state PAST=PRESENT]... [--dim NAME=N]... [--out FILE]
// SHIM gives node what a browser has: navigator.gpu and the GPU* globals. Without --state every input that is named past* is fed
// by the output of the same name with `present` in place of `past_key_values` or `past`. Inputs are zeros (masks ones) of the
// dims given; a dim of an input that is not given is 1, but for the one that grows and those that hold its name and "+".
// A round decodes `steps` tokens at a fixed past, `steps` with a past that grows from there, and prints the times of a token
// and their ratio; the last line is the median of the ratios. With several modules each round takes them in turn.
import { appendFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    past: { type: 'string', default: '256' },
    steps: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '5' },
    busy: { type: 'string', default: '200' },
    state: { type: 'string', multiple: true, default: [] },
    dim: { type: 'string', multiple: true, default: [] },
    out: { type: 'string' },
  },
});
const [past, steps, rounds] = [options.past, options.steps, options.rounds].map(Number);
const ARRAYS = {
  float32: Float32Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  bool: Uint8Array,
};
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

function report(entry) {
  const line = JSON.stringify(entry);
  console.log(line);
  if (options.out) appendFileSync(options.out, `${line}\n`);
}

// What a module needs to decode: its states, and the dim that grows.
async function open(path) {
  const started = performance.now();
  const { load } = await import(pathToFileURL(resolve(path)));
  const model = await load();
  const given = options.state.map((pair) => pair.split('='));
  const named = model.inputs
    .filter(({ name }) => /^past/.test(name))
    .map(({ name }) => [name, name.replace(/^past_key_values|^past/, 'present')]);
  const states = given.length > 0 ? given : named;
  if (states.length === 0) throw new Error(`${path} has no input named past*: give --state`);
  const { dims } = model.inputs.find(({ name }) => name === states[0][0]);
  const growing = dims.find((dim, axis) => axis > 0 && typeof dim === 'string');
  return { path, model, states, growing, load_ms: performance.now() - started };
}

const fixedDims = new Map(
  options.dim.map((pair) => pair.split('=')).map(([k, v]) => [k, Number(v)]),
);

function sizeOf(dim, growing, length) {
  if (typeof dim === 'number') return dim;
  if (fixedDims.has(dim)) return fixedDims.get(dim);
  if (dim === growing) return length;
  // The mask has one place more than the cache: "past + 1", or a name of its own such as "total_sequence_length".
  return dim.includes(growing) || /total|past.*\+/.test(dim) ? length + 1 : 1;
}

function inputsAt({ model, states, growing }, length) {
  const inputs = {};
  for (const { name, dtype, dims } of model.inputs) {
    if (states.some(([one]) => one === name)) continue;
    const shape = dims.map((dim) => sizeOf(dim, growing, length));
    const count = shape.reduce((a, b) => a * b, 1);
    const value = /mask/.test(name) ? 1 : 0;
    inputs[name] = {
      data: new ARRAYS[dtype](count).fill(dtype === 'int64' ? BigInt(value) : value),
      dims: shape,
    };
  }
  return inputs;
}

function emptyStates({ model, states, growing }, length) {
  return states.map(([name]) => {
    const { dtype, dims } = model.inputs.find((input) => input.name === name);
    const shape = dims.map((dim) => sizeOf(dim, growing, length));
    const bytes = Math.max(16, 4 * shape.reduce((a, b) => a * b, 1));
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = model.device.createBuffer({
      size: Math.ceil(bytes / 16) * 16,
      usage,
    });
    return { buffer, dims: shape, dtype, dispose: () => buffer.destroy() };
  });
}

// ms a token; `grow` feeds the states back.
async function decode(one, grow) {
  const { model, states } = one;
  const keep = states.map(([, present]) => present);
  let fed = emptyStates(one, past);
  const times = [];
  for (let step = 0; step < steps; ++step) {
    const inputs = inputsAt(one, grow ? past + step : past);
    states.forEach(([name], i) => (inputs[name] = fed[i]));
    const started = performance.now();
    const outputs = await model.run(inputs, { keep });
    times.push(performance.now() - started);
    const presents = keep.map((name) => outputs[name]);
    const done = grow ? fed : presents;
    if (grow) fed = presents;
    done.forEach((state) => state.dispose());
  }
  fed.forEach((state) => state.dispose());
  return {
    median: median(times),
    mean: times.reduce((a, b) => a + b, 0) / steps,
  };
}

const contenders = [];
for (const path of positionals) contenders.push(await open(path));
const { adapterInfo: info } = contenders[0].model.device;
report({
  gpu: `${info.vendor} ${info.architecture} ${info.device} ${info.description}`.trim(),
});
for (const { path, load_ms } of contenders) report({ contender: path, load_ms });
const ratios = new Map(contenders.map(({ path }) => [path, []]));
for (const one of contenders) {
  await decode(one, false);
  await decode(one, true);
}
for (let round = 0; round < rounds; ++round) {
  for (const one of contenders) {
    // An idle card clocks down.
    const until = performance.now() + Number(options.busy);
    while (performance.now() < until) await decode(one, false);
    const fixed = await decode(one, false);
    const growing = await decode(one, true);
    const ratio = growing.mean / fixed.mean;
    ratios.get(one.path).push(ratio);
    report({
      contender: one.path,
      round,
      fixed_ms: fixed.mean,
      growing_ms: growing.mean,
      median_ratio: growing.median / fixed.median,
      ratio,
    });
  }
}
for (const [path, list] of ratios) report({ contender: path, past, steps, ratio: median(list) });
process.exit(0);
