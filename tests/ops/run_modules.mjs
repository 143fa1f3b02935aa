// Runs many modules one after the other in one process, on one device, and tells of each as soon as it is done:
//   node run_modules.mjs JOBS.json RESULTS.jsonl [plain]
// `plain` asks the device for nothing: it has no features, and the limits of any GPU.
// A job is { module, limits, runs: [{ name: { dtype, dims, base64 } }] }; `limits` go to load({ internal }). Its line in the
// results is { outputs: [{ name: { dtype, dims, base64 } }] } or { error }.
import { appendFile, readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

// What the contract has `run` take for each dtype. Nothing is imported, for this file is carried to other machines.
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

async function openDevice(isPlain) {
  process.env.XDG_RUNTIME_DIR ??= '/tmp';
  if (!process.env.VK_DRIVER_FILES && !process.env.VK_ICD_FILENAMES)
    process.env.VK_ICD_FILENAMES = '/usr/lib/chromium/vk_swiftshader_icd.json';
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: { gpu: create([]) },
  });
  const adapter = await navigator.gpu.requestAdapter();
  if (isPlain) return adapter.requestDevice();
  const requiredLimits = {};
  for (const name of ['maxComputeWorkgroupStorageSize', 'maxStorageBuffersPerShaderStage'])
    requiredLimits[name] = adapter.limits[name];
  const features = ['subgroups', 'shader-f16'].filter((name) => adapter.features.has(name));
  return adapter.requestDevice({ requiredFeatures: features, requiredLimits });
}

// Names come from models: `__proto__` must stay a name, so results are made entry by entry.
function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
}

function decode({ dtype, dims, base64 }) {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'));
  return { data: new ARRAYS[dtype](bytes.buffer), dims };
}

function encode({ data, dims, dtype }) {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return { dtype, dims: [...dims], base64: bytes.toString('base64') };
}

async function runJob(job, device, complaints) {
  const { load } = await import(pathToFileURL(job.module).href);
  // What the GPU's memory held before must not show: the arena starts as NaN.
  const model = await load({ device, internal: { poison: true, limits: job.limits } });
  try {
    const outputs = [];
    for (const inputs of job.runs) {
      outputs.push(mapValues(await model.run(mapValues(inputs, decode)), encode));
    }
    await device.queue.onSubmittedWorkDone();
    if (complaints.length > 0) throw new Error(complaints.splice(0).join('; '));
    return { outputs };
  } finally {
    model.dispose();
  }
}

const [jobsFile, resultsFile, kind] = process.argv.slice(2);
const jobs = JSON.parse(await readFile(jobsFile, 'utf8'));
const device = await openDevice(kind === 'plain');
const complaints = [];
device.addEventListener('uncapturederror', ({ error }) => complaints.push(error.message));
for (const job of jobs) {
  let result;
  try {
    result = await runJob(job, device, complaints);
  } catch (error) {
    result = { error: `${error.name}${error.code ? ` (${error.code})` : ''}: ${error.message}` };
  }
  await appendFile(resultsFile, JSON.stringify(result) + '\n');
}
// Dawn keeps threads that would keep the process.
process.exit(0);
