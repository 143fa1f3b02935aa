// What the tests of the runtime share: Dawn's devices, observed; and modules made as `convert` makes them.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { create } from 'webgpu';
export { internals } from './internals.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
export const CHUNK = 4 * 1024 * 1024;

// Debian's SwiftShader, where nothing else is chosen.
const swiftshader = '/usr/lib/chromium/vk_swiftshader_icd.json';
if (!process.env.VK_ICD_FILENAMES && existsSync(swiftshader)) {
  process.env.VK_ICD_FILENAMES = swiftshader;
  process.env.XDG_RUNTIME_DIR ??= tmpdir();
}
export const gpu = create([]);

export const deviceKinds = ['plain', 'full'];

/** `plain` has the default limits and no features, `full` all that the adapter has. */
export async function makeDevice(kind = 'plain') {
  // An adapter gives one device only.
  const one = await gpu.requestAdapter();
  if (!one)
    throw new Error(
      'no WebGPU adapter: on a machine without a GPU, point VK_ICD_FILENAMES at SwiftShader',
    );
  if (kind === 'plain') return one.requestDevice();
  const requiredLimits = {};
  for (const name in Object.getPrototypeOf(one.limits)) {
    if (!/^(constructor|min)/.test(name)) requiredLimits[name] = one.limits[name];
  }
  return one.requestDevice({ requiredFeatures: [...one.features], requiredLimits });
}

/** Counts what a device makes and destroys, and collects its uncaptured errors. */
export function observe(device) {
  const log = {
    errors: [],
    buffersMade: 0,
    buffersDestroyed: 0,
    liveBytes: 0,
    bindGroups: 0,
    pipelines: 0,
    submits: 0,
    destroyed: 0,
    writes: 0,
    /** Copies between buffers. */
    copies: 0,
    /** The largest buffer made, and how many were, by label. */
    largest: {},
    count: {},
  };
  const live = new Map();
  device.addEventListener?.('uncapturederror', (event) => {
    event.preventDefault?.();
    log.errors.push(event.error.message);
  });
  const wrap = (target, name, after) => {
    const original = target[name].bind(target);
    Object.defineProperty(target, name, {
      configurable: true,
      value: (...args) => after(original(...args), args),
    });
  };
  wrap(device, 'createBuffer', (buffer) => {
    ++log.buffersMade;
    log.count[buffer.label] = (log.count[buffer.label] ?? 0) + 1;
    log.largest[buffer.label] = Math.max(log.largest[buffer.label] ?? 0, buffer.size);
    live.set(buffer, buffer.size);
    log.liveBytes += buffer.size;
    wrap(buffer, 'destroy', () => {
      ++log.buffersDestroyed;
      log.liveBytes -= live.get(buffer) ?? 0;
      live.delete(buffer);
    });
    return buffer;
  });
  wrap(device, 'createBindGroup', (group) => (++log.bindGroups, group));
  wrap(device, 'createComputePipelineAsync', (pipeline) => (++log.pipelines, pipeline));
  wrap(device, 'createCommandEncoder', (encoder) => {
    wrap(encoder, 'copyBufferToBuffer', () => void ++log.copies);
    return encoder;
  });
  wrap(device, 'destroy', () => void ++log.destroyed);
  const { queue } = device;
  const submit = queue.submit.bind(queue);
  const writeBuffer = queue.writeBuffer.bind(queue);
  const observed = new Proxy(queue, {
    get(target, name) {
      if (name === 'submit') return (list) => (++log.submits, submit(list));
      if (name === 'writeBuffer') return (...args) => (++log.writes, writeBuffer(...args));
      const value = target[name];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  Object.defineProperty(device, 'queue', { configurable: true, value: observed });
  return log;
}

/** A test on an observed device of each kind; it fails where the device reports an error that nobody caught. */
export function deviceTest(name, body, kinds = deviceKinds) {
  for (const kind of kinds) {
    test(`${name} [${kind} device]`, async (t) => {
      const device = await makeDevice(kind);
      const log = observe(device);
      await body({ device, log, kind, t });
      if (log.destroyed === 0) await device.queue.onSubmittedWorkDone();
      await settle();
      assert.deepEqual(log.errors, []);
      if (log.destroyed === 0) device.destroy();
    });
  }
}

/** Lets events that are under way arrive. */
export function settle() {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

/** Asserts that a promise rejects with a SubbyteError of this code whose whole message is `message`, or matches it. */
export async function rejects(promise, code, message) {
  const error = await promise.then(
    () => assert.fail('was not rejected'),
    (reason) => reason,
  );
  assert.equal(error.code, code, error.stack);
  assert.ok(error instanceof Error);
  assert.equal(error.name, code === 'aborted' ? 'AbortError' : 'SubbyteError');
  if (typeof message === 'string') assert.equal(error.message, message);
  else if (message) assert.match(error.message, message);
  return error;
}

export function f32(...values) {
  return { data: new Float32Array(values), dims: [values.length] };
}

const folder = mkdtempSync(join(tmpdir(), 'subbyte-runtime-'));
// So that modules find the npm package webgpu.
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

export function temporary(name) {
  return join(folder, name);
}

let count = 0;

/** A generated module on disk: the bundled runtime, the plan, the weights beside it. Resolves to its exports. */
export async function makeModule(plan, contents = [], { inline = false } = {}) {
  const id = `m${++count}`;
  const files = contents.map((bytes, i) => ({
    name: `${id}.webgpu-${i}.bin`,
    ...describeFile(bytes),
  }));
  contents.forEach((bytes, i) => {
    if (!inline) writeFileSync(join(folder, files[i].name), bytes);
  });
  const urls = files.map(
    ({ name }) => `() => new URL(${JSON.stringify(`./${name}`)}, import.meta.url)`,
  );
  const base64 = inline
    ? `, ${JSON.stringify(contents.map((bytes) => Buffer.from(bytes).toString('base64')))}`
    : '';
  const text = `${readFileSync(join(root, 'build/runtime/runtime.js'), 'utf8')}
const plan = JSON.parse(${JSON.stringify(JSON.stringify({ ...plan, files }))});
export const format = 1;
export const requirements = { features: [], limits: {} };
export const SubbyteError = subbyte_runtime.SubbyteError;
export const load = subbyte_runtime.loader(plan, [${urls.join(', ')}]${base64});
`;
  const path = join(folder, `${id}.webgpu.mjs`);
  writeFileSync(path, text);
  const module = await import(pathToFileURL(path).href);
  return { ...module, files, folder, path, text };
}

/** The entry of a plan's `files` for these bytes. */
export function describeFile(bytes) {
  const sha256 = (part) => createHash('sha256').update(part).digest('hex');
  const chunks = [];
  for (let i = 0; i < bytes.length; i += CHUNK) chunks.push(sha256(bytes.subarray(i, i + CHUNK)));
  return { bytes: bytes.length, sha256: sha256(bytes), chunks };
}

/** Seeded uniform random numbers in [0, 1): mulberry32. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Writes plans by hand: expressions are entered as nested arrays, and equal ones share an entry. */
export function planBuilder() {
  const plan = {
    symbols: [],
    exprs: [],
    constraints: [],
    inputs: [],
    outputs: [],
    tensors: [],
    files: [],
    weights: [],
    pieces: [],
    pipelines: [],
    steps: [],
  };
  const entries = new Map();
  const enter = (node) => {
    const key = JSON.stringify(node);
    if (!entries.has(key)) {
      entries.set(key, plan.exprs.length);
      plan.exprs.push(node);
    }
    return entries.get(key);
  };
  const e = (expr) => {
    if (typeof expr === 'number') return enter(expr);
    if (typeof expr === 'string') {
      const index = plan.symbols.findIndex(({ name }) => name === expr);
      if (index < 0) throw new Error(`no symbol ${expr}`);
      return enter(['s', index]);
    }
    return enter([expr[0], ...expr.slice(1).map(e)]);
  };
  const piece = (text) => {
    if (!plan.pieces.includes(text)) plan.pieces.push(text);
    return plan.pieces.indexOf(text);
  };
  return {
    plan,
    e,
    symbol: (name, input, where) => plan.symbols.push({ name, input, ...where }),
    constraint: (condition, message) => plan.constraints.push({ condition: e(condition), message }),
    tensor: (count, first, last, more) =>
      plan.tensors.push({ count: e(count), first, last, ...more }) - 1,
    input: (name, dtype, dims, tensor) =>
      plan.inputs.push({
        name,
        dtype,
        dims: dims.map((d) => (Array.isArray(d) ? JSON.stringify(d) : d)),
        shape: dims.map(e),
        ...(tensor === undefined ? {} : { tensor }),
      }) - 1,
    output: (name, dtype, dims, from) =>
      plan.outputs.push({
        name,
        dtype,
        dims: dims.map((d) => (Array.isArray(d) ? JSON.stringify(d) : d)),
        shape: dims.map(e),
        ...from,
        ...(from.content ? { content: from.content.map(e) } : {}),
      }) - 1,
    weight: (weight) => plan.weights.push(weight) - 1,
    pipeline: (bindings, ...texts) =>
      plan.pipelines.push({ pieces: texts.map(piece), bindings }) - 1,
    step: (name, params, bindings, forms, split) =>
      plan.steps.push({
        name,
        params: params.map(e),
        bindings,
        ...(split ? { split: { weights: split.weights, rows: e(split.rows) } } : {}),
        forms: forms.map(({ when, workgroups, ...form }) => ({
          ...(when === undefined ? {} : { when: e(when) }),
          ...form,
          workgroups: e(workgroups),
        })),
      }) - 1,
  };
}

/** WGSL that maps words one by one, 64 to a workgroup: `body` computes `y[i]` from `x[i]`, `p.count` many. */
export function mapKernel(body, type = 'f32') {
  return `
struct Params { count: u32, extra: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<${type}>;
@group(0) @binding(2) var<storage, read_write> y: array<${type}>;
@compute @workgroup_size(64) fn main(
    @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= p.count) { return; }
  ${body}
}`;
}

/** One step that maps input `x` [n] to output `y` [n]. */
export function mapPlan(body = 'y[i] = 2.0 * x[i];', dtype = 'float32', type = 'f32') {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const x = b.tensor('n', -1, 0);
  const y = b.tensor('n', 0, 1);
  b.input('x', dtype, ['n'], x);
  b.output('y', dtype, ['n'], { tensor: y });
  const pipeline = b.pipeline('ptt', mapKernel(body, type));
  b.step(
    'map',
    ['n', 7],
    [{ tensor: x }, { tensor: y }],
    [{ pipeline, workgroups: ['//', ['+', 'n', 63], 64] }],
  );
  return b.plan;
}
