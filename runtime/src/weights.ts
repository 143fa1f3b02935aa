import type { Device } from './device.js';
import { copyFile } from './download.js';
import { wholeWords } from './dtype.js';
import { SubbyteError, whenAborted } from './errors.js';
import { ALIGNMENT, COPY_DST, STORAGE, mebibytes, roundUp, scoped } from './gpu.js';
import { layoutWeights, type Layout } from './layout.js';
import type { Plan } from './plan.js';
import { openSource } from './sources.js';
import type { LoadOptions } from './types.js';

export interface Weights {
  buffers: GPUBuffer[];
  layout: Layout;
}

/** Uploads in flight before the queue is waited for, so that staging memory stays small. */
const UPLOAD_WINDOW = 64 * 1024 * 1024;

async function createBuffers(device: Device, layout: Layout): Promise<GPUBuffer[]> {
  const buffers: GPUBuffer[] = [];
  const { errors } = scoped(device.gpu, () => {
    for (const { start, end } of layout.regions) {
      const size = Math.max(ALIGNMENT, roundUp(end - start, ALIGNMENT));
      const usage = STORAGE | COPY_DST;
      buffers.push(device.gpu.createBuffer({ label: 'subbyte weights', size, usage }));
    }
  });
  const error = await errors;
  if (error) {
    buffers.forEach((buffer) => buffer.destroy());
    const bytes = layout.regions.reduce((sum, { start, end }) => sum + end - start, 0);
    throw new SubbyteError(
      'out-of-memory',
      `the GPU has no room for ${mebibytes(bytes)} of weights: ${error.message}`,
    );
  }
  return buffers;
}

/** Downloads all files at once and uploads them as they are verified. The signal stops it; buffers are then freed. */
export async function loadWeights(
  plan: Plan,
  device: Device,
  options: LoadOptions,
  urls: readonly (() => URL | string)[],
  inline: readonly string[] | undefined,
  signal: AbortSignal,
  onLoaded: (bytes: number) => void,
): Promise<Weights> {
  const layout = layoutWeights(plan, {
    binding: device.limit('maxStorageBufferBindingSize'),
    buffer: device.limit('maxBufferSize'),
  });
  const buffers = await createBuffers(device, layout);
  const { queue } = device.gpu;
  let window = 0;
  let stopped = false;
  const write = async (file: number, offset: number, bytes: Uint8Array<ArrayBuffer>) => {
    if (stopped) return;
    layout.regions.forEach((region, i) => {
      if (region.file !== file) return;
      const start = Math.max(offset, region.start);
      const end = Math.min(offset + bytes.length, region.end);
      if (start >= end) return;
      const part = wholeWords(bytes.subarray(start - offset, end - offset));
      queue.writeBuffer(buffers[i]!, start - region.start, part);
    });
    window += bytes.length;
    if (window >= UPLOAD_WINDOW) {
      window = 0;
      queue.submit([]);
      await queue.onSubmittedWorkDone();
    }
  };
  try {
    const files = Promise.all(
      plan.files.map(async (file, i) => {
        const source = await openSource(plan.files, i, options, urls, inline, signal);
        const sink = {
          write: (offset: number, bytes: Uint8Array<ArrayBuffer>) => write(i, offset, bytes),
          arrived: onLoaded,
        };
        await copyFile(file, source, sink, signal);
      }),
    );
    // A source need not heed the signal.
    await Promise.race([files, whenAborted(signal)]);
  } catch (error) {
    stopped = true;
    buffers.forEach((buffer) => buffer.destroy());
    throw error;
  }
  return { buffers, layout };
}
