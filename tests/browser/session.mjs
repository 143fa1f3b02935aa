// Loads one generated module on one device and runs it on given inputs. The same code serves the page and Node.
import { instrument } from './instrument.mjs';

const arrays = {
  float32: Float32Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
};

/**
 * A session: { module, device, runs: [{ name: { dtype, dims, base64 } }] }, `device` being "default", a plain
 * requestDevice(); "all", every feature and limit of the adapter; or "own", load() without a device.
 * Returns { inputs, outputs, runs: [{ outputs } or { error }], errors, shaders }, each run with its counts.
 */
export async function runSession(session, load) {
  const device = session.device === 'own' ? undefined : await requestDevice(session.device);
  const watch = device ? instrument(device) : { shaders: new Set(), errors: [], take: () => null };
  const model = await load(device ? { device } : {});
  const result = { inputs: model.inputs, outputs: model.outputs, loading: watch.take(), runs: [] };
  for (const inputs of session.runs) {
    const run = {};
    try {
      const started = performance.now();
      const outputs = await model.run(mapValues(inputs, decode));
      run.milliseconds = performance.now() - started;
      run.outputs = mapValues(outputs, encode);
    } catch (error) {
      run.error = { name: error.name, code: error.code, message: error.message };
    }
    run.counts = watch.take();
    result.runs.push(run);
  }
  // An error that the GPU reports late still belongs to these runs.
  if (device) await device.queue.onSubmittedWorkDone();
  await new Promise((resolve) => setTimeout(resolve, 0));
  model.dispose();
  device?.destroy();
  return { ...result, errors: watch.errors, shaders: [...watch.shaders] };
}

async function requestDevice(kind) {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error('there is no WebGPU adapter');
  if (kind === 'default') return adapter.requestDevice();
  if (kind !== 'all')
    throw new Error(`a device is "default", "all" or "own", not ${JSON.stringify(kind)}`);
  const requiredLimits = {};
  for (const name of namesOf(adapter.limits)) {
    const value = adapter.limits[name];
    if (typeof value === 'number') requiredLimits[name] = value;
  }
  return adapter.requestDevice({ requiredFeatures: [...adapter.features], requiredLimits });
}

// The limits are accessors of a prototype in some implementations and own properties in others.
function namesOf(object) {
  const names = new Set();
  for (let at = object; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  return names;
}

// Names come from models: `__proto__` must stay a name, so results are made entry by entry.
function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
}

function decode({ dtype, dims, base64 }) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return { data: new arrays[dtype](bytes.buffer), dims };
}

function encode({ data, dims, dtype }) {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return { dtype, dims: [...dims], array: data.constructor.name, base64: btoa(text) };
}
