// What it buys to divide the depth of a product among workgroups (split-K) where the results are few: each module against
// itself with that form taken out of its plan, in one process, in turn.
//   node [--import SHIM] bench/gpu/parts_bench.mjs M.webgpu.js... [--rows M,...] [--rounds 7] [--block MS] [--out FILE]
// SHIM gives node what a browser has: navigator.gpu and the GPU* globals; without it the npm package `webgpu` does. The modules are of
// one product, x [rows, K] by a weight, as ./dev bench parts makes them. A round times both, each for about `block` milliseconds of
// runs that keep their output on the GPU; the ratio printed is the median of the rounds', above 1 where the parts are faster.
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string', default: '16,32,64' },
    rounds: { type: 'string', default: '7' },
    block: { type: 'string', default: '100' },
    out: { type: 'string' },
  },
});
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

function report(entry) {
  const line = JSON.stringify(entry);
  console.log(line);
  if (options.out) appendFileSync(options.out, `${line}\n`);
}

/** The forms of a step but those for a CPU, which takes a product whole. */
const formsOf = ({ forms }) => forms.filter(({ limits }) => !limits?.isFallbackAdapter);

/** The condition under which a plan's product is computed in parts: that of a step which otherwise has nothing to do. */
function conditionOf(plan) {
  for (const step of plan.steps) {
    const forms = formsOf(step);
    const isNone = (form) => form && plan.exprs[form.workgroups] === 0;
    if (forms.length === 2 && forms[0].when !== undefined && isNone(forms[1])) return forms[0].when;
  }
  throw new Error('this plan has no product that may be computed in parts');
}

/** Loads a module as it is, or with a plan that computes its product whole. */
async function open(path, inParts, device) {
  const text = readFileSync(path, 'utf8');
  const [line] = /const plan = .*;$/m.exec(text);
  const plan = (0, eval)(`(${line.slice('const plan = '.length, -1)})`);
  const condition = conditionOf(plan);
  for (const step of plan.steps) step.forms = formsOf(step);
  if (!inParts) plan.exprs[condition] = 0;
  const copy = join(dirname(path), `.${inParts ? 'parts' : 'whole'}-${basename(path, '.js')}.mjs`);
  writeFileSync(
    copy,
    text.replace(line, () => `const plan = ${JSON.stringify(plan)};`),
  );
  try {
    const { load } = await import(pathToFileURL(copy));
    return await load({ device });
  } finally {
    rmSync(copy);
  }
}

function input(model, rows, device) {
  const { name, dims } = model.inputs[0];
  const count = rows * dims[1];
  const { STORAGE, COPY_DST, COPY_SRC } = GPUBufferUsage;
  const buffer = device.createBuffer({ size: 4 * count, usage: STORAGE | COPY_DST | COPY_SRC });
  const data = Float32Array.from({ length: count }, (_, i) => Math.sin(i));
  device.queue.writeBuffer(buffer, 0, data);
  return { [name]: { buffer, offset: 0, dims: [rows, dims[1]], dtype: 'float32' } };
}

/** Seconds of a run, of `runs` that are submitted one after the other. */
async function time(model, inputs, device, runs) {
  const keep = [model.outputs[0].name];
  const start = performance.now();
  for (let i = 0; i < runs; i++) (await model.run(inputs, { keep }))[keep[0]].dispose();
  await device.queue.onSubmittedWorkDone();
  return (performance.now() - start) / 1000 / runs;
}

async function compare(path, device) {
  const models = [await open(path, true, device), await open(path, false, device)];
  for (const rows of options.rows.split(',').map(Number)) {
    const inputs = input(models[0], rows, device);
    // What the first runs compile is not timed; both results must agree.
    const [a, b] = await Promise.all(
      models.map(async (model) => Object.values(await model.run(inputs))[0].data),
    );
    const largest = a.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const off = a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i])), 0) / largest;
    if (!(off < 1e-4)) throw new Error(`${path}: the results differ by ${off} of the largest`);
    const once = await time(models[1], inputs, device, 3);
    const runs = Math.max(1, Math.round(Number(options.block) / 1000 / once));
    const ratios = [];
    for (let round = 0; round < Number(options.rounds); round++) {
      const parts = await time(models[0], inputs, device, runs);
      const whole = await time(models[1], inputs, device, runs);
      ratios.push(whole / parts);
    }
    const module = basename(path, '.webgpu.js');
    report({ module, rows, whole_by_parts: Number(median(ratios).toFixed(2)) });
  }
  for (const model of models) model.dispose();
}

if (!globalThis.navigator?.gpu) {
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', {
    value: { gpu: create([]) },
    configurable: true,
  });
}
const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } =
  adapter.limits;
const device = await adapter.requestDevice({
  requiredFeatures: ['subgroups', 'shader-f16'].filter((name) => adapter.features.has(name)),
  requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize },
});
for (const path of positionals) await compare(resolve(path), device);
device.destroy();
