import { decode, decodeInto, type Data } from './dtype.js';
import { assertUsable, guarded, type Engine } from './engine.js';
import { SubbyteError, quoted } from './errors.js';
import { MODE_READ, copyBytes, roundUp } from './gpu.js';
import type { PlanOutput } from './plan.js';
import { gpuTensor, isDisposed, type GpuTensor } from './tensor.js';

export interface GpuSource {
  buffer: GPUBuffer;
  offset: number;
}

/** An output, or all of a kept one, that is to be read. */
export interface Wanted {
  output: number;
  source: GpuSource;
  bytes: number;
  /** What its tensor has at most for similar sizes: staging of so many bytes serves those too. */
  capacity: number;
}

/** One staging buffer, the bytes of it in use, and the outputs that are read from it. */
export interface Readback {
  staging: GPUBuffer;
  bytes: number;
  reads: (Wanted & { at: number })[];
}

/** Buffers that runs have returned: known to belong to their device. */
export const knownBuffers = new WeakMap<GPUBuffer, GPUDevice>();

export function outputLabel(spec: PlanOutput): string {
  return `output ${quoted(spec.name)}`;
}

/** Waits for all, and throws what the first of them that was rejected was rejected with. */
export async function allSettled(promises: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(promises)) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
}

/** Distributes what is read back over staging buffers: one, unless it would be too large. */
export function planReadback(engine: Engine, wanted: readonly Wanted[]): Readback[] {
  const limit = engine.device.limit('maxBufferSize');
  const list: { bytes: number; capacity: number; reads: Readback['reads'] }[] = [];
  for (const one of wanted) {
    let last = list[list.length - 1];
    if (!last || last.bytes + one.bytes > limit) {
      list.push((last = { bytes: 0, capacity: 0, reads: [] }));
    }
    last.reads.push({ ...one, at: last.bytes });
    last.bytes = roundUp(last.bytes + one.bytes, 16);
    last.capacity += roundUp(Math.max(one.bytes, one.capacity), 16);
  }
  return list.map(({ bytes, capacity, reads }) => ({
    staging: engine.staging.take(bytes, capacity),
    bytes,
    reads,
  }));
}

export function encodeReadback(encoder: GPUCommandEncoder, { staging, reads }: Readback): void {
  for (const { source, at, bytes } of reads) {
    encoder.copyBufferToBuffer(source.buffer, source.offset, staging, at, copyBytes(bytes));
  }
}

/** Maps a staging buffer and hands out each read, as bytes that are gone afterwards; the buffer goes back to the pool. */
export async function readStaging(
  engine: Engine,
  { staging, bytes, reads }: Readback,
  deliver: (output: number, mapped: ArrayBuffer, offset: number, bytes: number) => void,
): Promise<void> {
  try {
    await staging.mapAsync(MODE_READ, 0, bytes);
    const mapped = staging.getMappedRange(0, bytes);
    for (const { output, at, bytes: size } of reads) deliver(output, mapped, at, size);
    staging.unmap();
  } catch (error) {
    staging.destroy();
    throw error;
  }
  engine.staging.give(staging);
}

/** The data of an output in mapped memory: in the caller's array where there is one. */
export function takeData(
  spec: PlanOutput,
  width: number,
  mapped: ArrayBuffer,
  offset: number,
  bytes: number,
  target: Data | undefined,
): Data {
  if (!target) return decode(spec.dtype, mapped.slice(offset, offset + bytes), width);
  if (target.length !== bytes / width) {
    throw new SubbyteError(
      'bad-option',
      `into: the array of ${outputLabel(spec)} changed its length during the run`,
    );
  }
  decodeInto(spec.dtype, mapped, offset, target, width);
  return target;
}

async function readKept(
  engine: Engine,
  buffer: GPUBuffer,
  tensor: object,
  bytes: number,
): Promise<ArrayBuffer> {
  if (isDisposed(tensor)) throw new SubbyteError('disposed', 'the tensor has been disposed of');
  if (engine.device.owned || engine.lost) assertUsable(engine);
  return guarded(engine, async () => {
    let result = new ArrayBuffer(0);
    if (bytes === 0) return result;
    const { gpu } = engine.device;
    const source = { buffer, offset: 0 };
    const [readback] = planReadback(engine, [{ output: 0, source, bytes, capacity: bytes }]);
    const read = engine.memory.checked([readback!.staging], false, () => {
      const encoder = gpu.createCommandEncoder();
      encodeReadback(encoder, readback!);
      gpu.queue.submit([encoder.finish()]);
      return readStaging(engine, readback!, (_, mapped, offset, size) => {
        result = mapped.slice(offset, offset + size);
      });
    });
    await allSettled([read.checks, read.result]);
    return result;
  });
}

/** Hands out a buffer of the output's pool as a tensor that the user then owns. */
export function keptTensor(
  engine: Engine,
  index: number,
  buffer: GPUBuffer,
  dims: readonly number[],
  bytes: number,
  width: number,
): GpuTensor {
  const pool = engine.kept[index]!;
  knownBuffers.set(buffer, engine.device.gpu);
  engine.lentBy.set(buffer, pool);
  return gpuTensor(
    buffer,
    [...dims],
    engine.plan.outputs[index]!.dtype,
    width,
    (tensor) => readKept(engine, buffer, tensor, bytes),
    () => pool.give(buffer),
  );
}
