import { assertUsable, guarded, type Engine } from './engine.js';
import { SubbyteError, quoted } from './errors.js';
import { bindingBytes, MODE_READ, roundUp } from './gpu.js';
import { productOf } from './inputs.js';
import type { PlanOutput } from './plan.js';
import { gpuTensor, isDisposed, type GpuTensor } from './tensor.js';

export interface GpuSource {
  buffer: GPUBuffer;
  offset: number;
}

/** One staging buffer, the bytes of it in use, and the outputs that are read from it. */
export interface Readback {
  bytes: number;
  reads: { output: number; source: GpuSource; offset: number; bytes: number }[];
}

/** Buffers that runs have returned: known to belong to their device. */
export const knownBuffers = new WeakMap<GPUBuffer, GPUDevice>();

export function outputLabel(spec: PlanOutput): string {
  return `output ${quoted(spec.name)}`;
}

/** Distributes what is read back over staging buffers: one, unless it would be too large. */
export function planReadback(
  engine: Engine,
  sources: readonly { output: number; source: GpuSource; count: number }[],
): Readback[] {
  const limit = engine.device.limit('maxBufferSize');
  const list: Readback[] = [];
  for (const { output, source, count } of sources) {
    const bytes = 4 * count;
    let last = list[list.length - 1];
    if (!last || last.bytes + bytes > limit) list.push((last = { bytes: 0, reads: [] }));
    last.reads.push({ output, source, offset: last.bytes, bytes });
    last.bytes = roundUp(last.bytes + bytes, 16);
  }
  return list;
}

/** Maps a staging buffer and hands out a copy of each read; the buffer goes back to the pool. */
export async function readStaging(
  engine: Engine,
  buffer: GPUBuffer,
  { bytes, reads }: Readback,
  deliver: (output: number, bytes: ArrayBuffer) => void,
): Promise<void> {
  try {
    await buffer.mapAsync(MODE_READ, 0, bytes);
    const range = buffer.getMappedRange(0, bytes);
    for (const read of reads) {
      deliver(read.output, range.slice(read.offset, read.offset + read.bytes));
    }
    buffer.unmap();
  } catch (error) {
    buffer.destroy();
    throw error;
  }
  engine.staging.give(buffer);
}

async function readKept(
  engine: Engine,
  buffer: GPUBuffer,
  tensor: object,
  count: number,
): Promise<ArrayBuffer> {
  if (isDisposed(tensor)) throw new SubbyteError('disposed', 'the tensor has been disposed of');
  if (engine.device.owned || engine.lost) assertUsable(engine);
  return guarded(engine, async () => {
    let result = new ArrayBuffer(0);
    if (count === 0) return result;
    const { gpu } = engine.device;
    const [readback] = planReadback(engine, [{ output: 0, source: { buffer, offset: 0 }, count }]);
    const staging = engine.staging.take(readback!.bytes);
    const encoder = gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, 4 * count);
    gpu.queue.submit([encoder.finish()]);
    await readStaging(engine, staging, readback!, (_, bytes) => {
      result = bytes;
    });
    return result;
  });
}

/** Copies an output into a buffer of its own that the user then owns. */
export function keepOutput(
  engine: Engine,
  encoder: GPUCommandEncoder,
  spec: PlanOutput,
  dims: readonly number[],
  source: GpuSource | Uint8Array<ArrayBuffer>,
): GpuTensor {
  const { gpu } = engine.device;
  const count = productOf(dims);
  const buffer = engine.kept.take(bindingBytes(4 * count));
  knownBuffers.set(buffer, gpu);
  if (count > 0) {
    if ('buffer' in source && !ArrayBuffer.isView(source)) {
      encoder.copyBufferToBuffer(source.buffer, source.offset, buffer, 0, 4 * count);
    } else {
      gpu.queue.writeBuffer(buffer, 0, source as Uint8Array<ArrayBuffer>);
    }
  }
  return gpuTensor(
    buffer,
    [...dims],
    spec.dtype,
    (tensor) => readKept(engine, buffer, tensor, count),
    () => engine.kept.give(buffer),
  );
}
