// Runs the bodies in kernels/ through Dawn, behind prologues written by the tests.
//   VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json XDG_RUNTIME_DIR=/tmp node --test tests/kernels/
// SUBBYTE_WGSL_DUMP names a folder that receives each module made, for the shaders suite (tools/dev/validate_shaders.py).
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
// Kept for as long as the process lives: Dawn's devices do not outlive it. SwiftShader takes seconds to compile the zeroing
// of 16 KiB of workgroup memory; no kernel may rely on it, so leave it out.
const gpu = create(['enable-dawn-features=disable_workgroup_init']);

const KERNELS = new URL('../../kernels/', import.meta.url);
const files = new Map();

/** The text of kernels/NAME.wgsl. */
export function kernel(name) {
  if (!files.has(name)) files.set(name, readFileSync(new URL(`${name}.wgsl`, KERNELS), 'utf8'));
  return files.get(name);
}

/** A device with WebGPU's default limits and no feature, and one with all that the adapter has. */
export async function openDevices() {
  const plain = await (await requestAdapter()).requestDevice();
  const adapter = await requestAdapter();
  const requiredLimits = {};
  for (const name in GPUSupportedLimits.prototype) {
    if (typeof adapter.limits[name] === 'number') requiredLimits[name] = adapter.limits[name];
  }
  const full = await adapter.requestDevice({
    requiredFeatures: [...adapter.features],
    requiredLimits,
  });
  return { plain, full };
}

async function requestAdapter() {
  const adapter = await gpu.requestAdapter();
  if (!adapter)
    throw new Error('no WebGPU adapter: is VK_ICD_FILENAMES set, and libvulkan1 installed?');
  return adapter;
}

function dump(code) {
  const folder = process.env.SUBBYTE_WGSL_DUMP;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  const name = createHash('sha256').update(code).digest('hex').slice(0, 16);
  writeFileSync(`${folder}/${name}.wgsl`, code);
}

/**
 * Runs one kernel once.
 * code: a whole module. buffers: for each binding from 0 a typed array, padded to 16 bytes where bound.
 * output: the index of the binding that is read back, with `outputs` f32 (or `Type`) elements.
 * The workgroups are laid out as x * y above 65535, as the runtime does.
 */
export async function run(device, { code, buffers, output, workgroups, Type = Float32Array }) {
  device.pushErrorScope('validation');
  const pipeline = pipelineFor(device, code);
  const made = buffers.map((data) => upload(device, data));
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: made.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  const y = Math.ceil(workgroups / 65535);
  pass.dispatchWorkgroups(Math.ceil(workgroups / y), y);
  pass.end();
  const bytes = buffers[output].byteLength;
  const staging = device.createBuffer({
    size: (bytes + 3) & ~3,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  encoder.copyBufferToBuffer(made[output], 0, staging, 0, staging.size);
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw new Error(`${error.message}\n${code}`);
  await staging.mapAsync(GPUMapMode.READ);
  const result = new Type(staging.getMappedRange().slice(0, bytes));
  staging.destroy();
  for (const buffer of made) buffer.destroy();
  return result;
}

const pipelines = new WeakMap();

function pipelineFor(device, code) {
  if (!pipelines.has(device)) pipelines.set(device, new Map());
  const known = pipelines.get(device);
  if (!known.has(code)) {
    dump(code);
    const module = device.createShaderModule({ code });
    known.set(
      code,
      device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } }),
    );
  }
  return known.get(code);
}

function upload(device, data) {
  const size = Math.max(16, (data.byteLength + 15) & ~15);
  const usage =
    GPUBufferUsage.STORAGE |
    GPUBufferUsage.UNIFORM |
    GPUBufferUsage.COPY_SRC |
    GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size, usage });
  // What pads a buffer is a NaN in f32 and in two halves.
  const padded = new Uint8Array(size).fill(0xff);
  padded.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  device.queue.writeBuffer(buffer, 0, padded);
  return buffer;
}

/** A float array of `length` NaNs, in which data is laid from `at` on. */
export function inNans(length, at = 0, data = []) {
  const array = new Float32Array(length).fill(NaN);
  array.set(data, at);
  return array;
}

/** Uniform numbers in -1..1, the same for each seed (mulberry32). */
export function randoms(count, seed = 1) {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  });
}

/** Fails where actual differs from expected by more than `relative` times scale(i), a number or a function. */
export function assertClose(actual, expected, relative, scale, what) {
  if (actual.length < expected.length)
    throw new Error(`${what}: ${actual.length} values, not ${expected.length}`);
  for (let i = 0; i < expected.length; i++) {
    const allowed = relative * (typeof scale === 'function' ? scale(i) : scale);
    const same = Number.isNaN(expected[i])
      ? Number.isNaN(actual[i])
      : Math.abs(actual[i] - expected[i]) <= allowed;
    if (!same && actual[i] !== expected[i]) {
      throw new Error(`${what}: [${i}] is ${actual[i]}, not ${expected[i]} to within ${allowed}`);
    }
  }
}
