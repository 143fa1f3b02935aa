import { createAllocation, destroyAllocation, type Allocation, type Slot } from './allocation.js';
import { chooseCapacities, fits, type Outside } from './capacity.js';
import { lossError, lossOr, type Device } from './device.js';
import { SubbyteError, messageOf } from './errors.js';
import { COPY_DST, COPY_SRC, MAP_READ, MAP_WRITE, STORAGE } from './gpu.js';
import { checkShapes, type Given } from './inputs.js';
import { deviceMemory, type Memory } from './memory.js';
import type { Pipelines } from './pipelines.js';
import type { Plan } from './plan.js';
import { bufferPool, type BufferPool } from './pool.js';
import { programOf, type Program } from './program.js';
import { computeShapes, computeSizes, type Sizes } from './sizes.js';
import type { InternalOptions } from './types.js';
import type { Weights } from './weights.js';

/** A loaded model: what its runs share. */
export interface Engine {
  plan: Plan;
  program: Program;
  device: Device;
  memory: Memory;
  pipelines: Pipelines;
  weights: Weights;
  /** By the values of the symbols, the least recently used first. */
  sizes: Map<string, Sizes>;
  /** By tensor: bytes that it had to have where a run counted more than it began with room for. */
  least: Map<number, number>;
  /** The least recently used first. */
  allocations: Set<Allocation>;
  /** The symbols of the run before. */
  before: readonly number[];
  /** What steps that run at load leave, by tensor: buffers of their own. */
  fixed: Map<number, Slot>;
  /** Mapped for writing: large inputs. */
  uploads: BufferPool;
  /** For reading outputs back. */
  staging: BufferPool;
  /** By output: each in buffers of its own, so that a state which goes round meets the same few. */
  kept: BufferPool[];
  /** The pools that the buffers of kept outputs came from. */
  lentBy: WeakMap<GPUBuffer, BufferPool>;
  poison: boolean;
  keptArenaBytes: number;
  exactSizes: boolean;
  /** Runs and reads that have not ended. */
  active: number;
  disposed: boolean;
  lost: GPUDeviceLostInfo | undefined;
}

const MOST_SIZES = 16;
const MOST_ALLOCATIONS = 8;
/** Bytes of arenas beyond which even fewer are kept. */
const KEPT_ARENA_BYTES = 1024 * 1024 * 1024;

export function createEngine(
  plan: Plan,
  device: Device,
  pipelines: Pipelines,
  weights: Weights,
  internal: InternalOptions,
): Engine {
  const { gpu } = device;
  const limit = device.limit('maxBufferSize');
  const memory = deviceMemory(gpu);
  const pool = (label: string, usage: number, mostIdle: number, mapped = false): BufferPool =>
    bufferPool(memory, { label, usage, limit, mostIdle, mapped });
  const engine: Engine = {
    plan,
    program: programOf(plan, weights.layout, pipelines.forms),
    device,
    memory,
    pipelines,
    weights,
    sizes: new Map(),
    least: new Map(),
    allocations: new Set(),
    before: [],
    fixed: new Map(),
    uploads: pool('subbyte upload', MAP_WRITE | COPY_SRC, 8, true),
    staging: pool('subbyte staging', MAP_READ | COPY_DST, 16),
    kept: plan.outputs.map(() => pool('subbyte kept output', STORAGE | COPY_SRC | COPY_DST, 4)),
    lentBy: new WeakMap(),
    poison: internal.poison === true,
    keptArenaBytes: internal.keptArenaBytes ?? KEPT_ARENA_BYTES,
    exactSizes: internal.exactSizes === true,
    active: 0,
    disposed: false,
    lost: undefined,
  };
  void gpu.lost.then((info) => {
    engine.lost = info;
  });
  return engine;
}

export function assertUsable(engine: Engine): void {
  if (engine.disposed) throw new SubbyteError('disposed', 'the model has been disposed of');
  if (engine.lost) throw lossError(engine.lost);
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

/** The sizes that the symbols give, computed where they are not among those most recently used. */
export function sizesFor(
  engine: Engine,
  symbols: readonly number[],
  given: readonly Given[],
): Sizes {
  const { plan } = engine;
  const key = symbols.join();
  let sizes = engine.sizes.get(key);
  if (sizes) {
    checkShapes(plan, given, sizes.inputs, symbols);
    engine.sizes.delete(key);
  } else {
    const shapes = computeShapes(plan, symbols);
    checkShapes(plan, given, shapes.inputs, symbols);
    sizes = computeSizes(engine, shapes);
  }
  engine.sizes.set(key, sizes);
  if (engine.sizes.size > MOST_SIZES) engine.sizes.delete(engine.sizes.keys().next().value!);
  return sizes;
}

/** Frees allocations, the least recently used first, until those that are kept are few and small enough. */
function evictAllocations(engine: Engine, used: Allocation): void {
  const { allocations, keptArenaBytes } = engine;
  let bytes = 0;
  for (const { bytes: more } of allocations) bytes += more;
  for (const oldest of allocations) {
    if (oldest === used) break;
    if (allocations.size <= MOST_ALLOCATIONS && bytes <= keptArenaBytes) break;
    bytes -= oldest.bytes;
    dropAllocation(engine, oldest);
  }
}

/** Memory for a run of these sizes: that most recently used which fits, else new. */
export function allocationFor(engine: Engine, sizes: Sizes, outside: Outside): Allocation {
  const { plan, program, memory, device, allocations } = engine;
  const limits = {
    binding: device.limit('maxStorageBufferBindingSize'),
    buffer: device.limit('maxBufferSize'),
  };
  let allocation = [...allocations]
    .reverse()
    .find(
      ({ capacities, fitting }) =>
        fitting.get(sizes) === outside.key ||
        (!engine.exactSizes && fits(plan, sizes.bytes, capacities, outside, limits.buffer)),
    );
  if (allocation) {
    allocations.delete(allocation);
  } else {
    // Without symbols to round up, the capacities are the sizes.
    const symbols = engine.exactSizes ? [] : sizes.symbols;
    const { before } = engine;
    const capacities = chooseCapacities(plan, symbols, before, sizes.bytes, outside, limits);
    allocation = createAllocation(program, capacities, memory);
  }
  engine.before = sizes.symbols;
  allocation.fitting.set(sizes, outside.key);
  allocations.add(allocation);
  evictAllocations(engine, allocation);
  return allocation;
}

/** Forgets an allocation, at the latest because its buffers turned out not to be valid. */
export function dropAllocation(engine: Engine, allocation: Allocation): void {
  engine.allocations.delete(allocation);
  destroyAllocation(allocation);
}

/** Ends the model: at once for later runs, and for the memory when the runs under way have ended. */
export function disposeEngine(engine: Engine): void {
  if (engine.disposed) return;
  engine.disposed = true;
  releaseIfIdle(engine);
}

function releaseIfIdle(engine: Engine): void {
  if (engine.active > 0) return;
  for (const allocation of [...engine.allocations]) dropAllocation(engine, allocation);
  for (const buffer of engine.weights.buffers.splice(0)) buffer.destroy();
  for (const { buffer } of engine.fixed.values()) buffer.destroy();
  for (const pool of [engine.uploads, engine.staging, ...engine.kept]) pool.close();
  if (engine.device.owned) engine.device.gpu.destroy();
}
