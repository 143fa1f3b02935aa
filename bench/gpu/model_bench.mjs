// One model as subbyte's module and in ONNX Runtime Web, in one process, in turn, on the same inputs.
//   node --import SHIM bench/gpu/model_bench.mjs CASES.json [--module M.webgpu.js]... [--onnx MODEL.onnx --ort ort.webgpu.min.mjs]
//        [--rounds 15] [--runs 20] [--busy MS] [--into] [--out FILE]
// SHIM gives node what a browser has: navigator.gpu and the GPU* globals. CASES.json is written by bench/gpu/make_cases.py.
// Prints for each module the relative L2 error of every output, and for each case the time of a run by the wall clock,
// inputs and outputs in CPU memory: minimum and median over all rounds, and the median of the ratios round by round.
// With --into a module writes its outputs into arrays that are there already.
import { appendFileSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    module: { type: 'string', multiple: true, default: [] },
    onnx: { type: 'string' },
    ort: { type: 'string' },
    rounds: { type: 'string', default: '15' },
    runs: { type: 'string', default: '20' },
    busy: { type: 'string', default: '200' },
    into: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const ARRAYS = { float32: Float32Array, int64: BigInt64Array, int32: Int32Array };
const sets = JSON.parse(readFileSync(positionals[0], 'utf8'));

function arrayOf({ dtype, data }) {
  return ARRAYS[dtype].from(dtype === 'int64' ? data.map(BigInt) : data);
}

function relativeError(found, expected) {
  let error = 0;
  let size = 0;
  expected.forEach((value, i) => {
    error += (Number(found[i]) - value) ** 2;
    size += value ** 2;
  });
  return error === 0 ? 0 : Math.sqrt(error / size);
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

function report(entry) {
  const line = JSON.stringify(entry);
  console.log(line);
  if (options.out) appendFileSync(options.out, `${line}\n`);
}

// { name, run(case) } for each contender.
async function subbyteModule(path) {
  const started = performance.now();
  const { load } = await import(pathToFileURL(path));
  const model = await load();
  const load_ms = performance.now() - started;
  const prepared = new Map();
  const argumentsOf = async (one) => {
    if (!prepared.has(one)) {
      const entries = Object.entries(one.inputs);
      const inputs = Object.fromEntries(
        entries.map(([k, v]) => [k, { data: arrayOf(v), dims: v.dims }]),
      );
      const outputs = options.into ? Object.entries(await model.run(inputs)) : [];
      const into = Object.fromEntries(outputs.map(([k, v]) => [k, v.data]));
      prepared.set(one, [inputs, options.into ? { into } : {}]);
    }
    return prepared.get(one);
  };
  return {
    name: path.replace(/.*\//, ''),
    load_ms,
    run: async (one) => model.run(...(await argumentsOf(one))),
    device: model.device,
  };
}

async function onnxRuntime(onnx, ortPath) {
  const ort = await import(pathToFileURL(ortPath));
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const started = performance.now();
  const session = await ort.InferenceSession.create(readFileSync(onnx), {
    executionProviders: ['webgpu'],
  });
  const load_ms = performance.now() - started;
  const prepared = new Map();
  return {
    name: 'onnxruntime-web',
    load_ms,
    async run(one) {
      if (!prepared.has(one)) {
        const entries = Object.entries(one.inputs);
        prepared.set(
          one,
          Object.fromEntries(
            entries.map(([k, v]) => [k, new ort.Tensor(v.dtype, arrayOf(v), v.dims)]),
          ),
        );
      }
      return session.run(prepared.get(one));
    },
  };
}

// Keeps the GPU busy for a while: an idle card clocks down.
async function busy(contender, one) {
  const until = performance.now() + Number(options.busy);
  while (performance.now() < until) await contender.run(one);
}

const contenders = [];
for (const path of options.module) contenders.push(await subbyteModule(path));
if (options.onnx) contenders.push(await onnxRuntime(options.onnx, options.ort));
const info = contenders[0].device.adapterInfo;
report({ gpu: `${info.vendor} ${info.architecture} ${info.device} ${info.description}`.trim() });

for (const { reference, cases } of sets) {
  for (const contender of contenders) {
    if (reference && !contender.name.startsWith(reference)) continue;
    for (const one of cases) {
      const outputs = await contender.run(one);
      const errors = {};
      for (const [name, expected] of Object.entries(one.outputs)) {
        errors[name] = relativeError(outputs[name].data, expected.data);
      }
      report({ contender: contender.name, case: one.name, relative_l2: errors });
    }
  }
}

for (const one of sets[0].cases) {
  const times = contenders.map(() => []);
  for (let round = 0; round < Number(options.rounds); ++round) {
    await busy(contenders[0], one);
    for (const [i, contender] of contenders.entries()) {
      for (let run = 0; run < 3; ++run) await contender.run(one);
      const started = performance.now();
      for (let run = 0; run < Number(options.runs); ++run) await contender.run(one);
      times[i].push((performance.now() - started) / Number(options.runs));
    }
  }
  contenders.forEach((contender, i) => {
    const against = times.at(-1);
    report({
      contender: contender.name,
      case: one.name,
      load_ms: contender.load_ms,
      min_ms: Math.min(...times[i]),
      median_ms: median(times[i]),
      ratio_to_last: median(times[i].map((t, round) => t / against[round])),
    });
  });
}
