import {
  checkConstraints,
  computeSizes,
  createBinding,
  destroyBinding,
  type Binding,
} from './binding.js';
import type { Device } from './device.js';
import { SubbyteError, messageOf } from './errors.js';
import { COPY_DST, COPY_SRC, MAP_READ, STORAGE } from './gpu.js';
import { checkShapes, type Given } from './inputs.js';
import type { Pipelines } from './pipelines.js';
import type { Plan } from './plan.js';
import { bufferPool, type BufferPool } from './pool.js';
import type { InternalOptions } from './types.js';
import type { Weights } from './weights.js';

/** A loaded model: what its runs share. */
export interface Engine {
  plan: Plan;
  device: Device;
  pipelines: Pipelines;
  weights: Weights;
  /** By the values of the symbols, the least recently used first. */
  bindings: Map<string, Binding>;
  staging: BufferPool;
  kept: BufferPool;
  poison: boolean;
  keptArenaBytes: number;
  /** Runs and reads that have not ended. */
  active: number;
  disposed: boolean;
  lost: GPUDeviceLostInfo | undefined;
}

const MOST_BINDINGS = 8;
/** Bytes of arenas beyond which even fewer sizes are kept. */
const KEPT_ARENA_BYTES = 1024 * 1024 * 1024;
/** How long a failed run waits for the device to say that it is lost. */
const LOSS_NOTICE_MS = 200;

export function createEngine(
  plan: Plan,
  device: Device,
  pipelines: Pipelines,
  weights: Weights,
  internal: InternalOptions,
): Engine {
  const { gpu } = device;
  const limit = device.limit('maxBufferSize');
  const engine: Engine = {
    plan,
    device,
    pipelines,
    weights,
    bindings: new Map(),
    staging: bufferPool(gpu, limit, MAP_READ | COPY_DST, 'subbyte staging'),
    kept: bufferPool(gpu, limit, STORAGE | COPY_SRC | COPY_DST, 'subbyte kept output'),
    poison: internal.poison === true,
    keptArenaBytes: internal.keptArenaBytes ?? KEPT_ARENA_BYTES,
    active: 0,
    disposed: false,
    lost: undefined,
  };
  void gpu.lost.then((info) => {
    engine.lost = info;
  });
  return engine;
}

export function lossError(info: GPUDeviceLostInfo): SubbyteError {
  return new SubbyteError(
    'device-lost',
    `the GPU device was lost (${info.reason || 'unknown'}): ${info.message || 'no reason given'}; load the model again`,
  );
}

export function assertUsable(engine: Engine): void {
  if (engine.disposed) throw new SubbyteError('disposed', 'the model has been disposed of');
  if (engine.lost) throw lossError(engine.lost);
}

/** That the device is lost, where it is (an operation may fail before the loss is announced); else the error itself. */
export async function lossOr(gpu: GPUDevice, error: unknown): Promise<unknown> {
  const info = await Promise.race([
    gpu.lost,
    new Promise<undefined>((resolve) => setTimeout(resolve, LOSS_NOTICE_MS)),
  ]);
  return info ? lossError(info) : error;
}

/** What an error of the WebGPU implementation means for the user. */
async function translate(gpu: GPUDevice, error: unknown): Promise<SubbyteError> {
  const reason = error instanceof SubbyteError ? error : await lossOr(gpu, error);
  return reason instanceof SubbyteError
    ? reason
    : new SubbyteError('internal', `WebGPU failed: ${messageOf(reason)}`, reason);
}

/** Runs `body` as one that keeps the model's buffers alive, and gives its errors as the user's. */
export async function guarded<T>(engine: Engine, body: () => Promise<T>): Promise<T> {
  ++engine.active;
  try {
    return await body();
  } catch (error) {
    throw await translate(engine.device.gpu, error);
  } finally {
    --engine.active;
    if (engine.disposed) releaseIfIdle(engine);
  }
}

/** The binding of a set of sizes, made where it is not among those most recently used. */
export function bindingFor(
  engine: Engine,
  symbols: readonly number[],
  given: readonly Given[],
): Binding {
  const { plan, bindings } = engine;
  const key = symbols.join();
  let binding = bindings.get(key);
  if (binding) {
    checkShapes(plan, given, binding.inputs, symbols);
    bindings.delete(key);
  } else {
    const sizes = computeSizes(plan, symbols);
    checkShapes(plan, given, sizes.inputs, symbols);
    checkConstraints(plan, sizes);
    binding = createBinding(plan, sizes, engine.device, engine.pipelines, engine.weights);
  }
  bindings.set(key, binding);
  let bytes = 0;
  for (const { bytes: more } of bindings.values()) bytes += more;
  for (const [oldest, evicted] of bindings) {
    if (evicted === binding) break;
    if (bindings.size <= MOST_BINDINGS && bytes <= engine.keptArenaBytes) break;
    bytes -= evicted.bytes;
    bindings.delete(oldest);
    destroyBinding(evicted);
  }
  return binding;
}

/** Forgets the binding of these symbols, whose buffers turned out not to be valid. */
export function dropBinding(engine: Engine, binding: Binding): void {
  const key = binding.symbols.join();
  if (engine.bindings.get(key) === binding) engine.bindings.delete(key);
  destroyBinding(binding);
}

/** Ends the model: at once for later runs, and for the memory when the runs under way have ended. */
export function disposeEngine(engine: Engine): void {
  if (engine.disposed) return;
  engine.disposed = true;
  releaseIfIdle(engine);
}

function releaseIfIdle(engine: Engine): void {
  if (engine.active > 0) return;
  for (const binding of engine.bindings.values()) destroyBinding(binding);
  engine.bindings.clear();
  for (const buffer of engine.weights.buffers.splice(0)) buffer.destroy();
  engine.staging.close();
  engine.kept.close();
  if (engine.device.owned) engine.device.gpu.destroy();
}
