import { roundUp } from './gpu.js';

/** GPU buffers of one usage that are lent and given back, so that runs in the steady state create none. */
export interface BufferPool {
  /** A buffer of at least `bytes`. */
  take(bytes: number): GPUBuffer;
  give(buffer: GPUBuffer): void;
  /** Destroys the idle buffers; those lent are destroyed when they are given back. */
  close(): void;
}

/** Idle buffers kept; the one that has been idle longest goes first. */
const MOST_IDLE = 16;
/** A buffer serves a request for at least this part of its size: more would tie up memory. */
const LEAST_USE = 1 / 4;

/** Sizes are rounded up by at most a quarter, so that tensors which grow run by run find their buffers again. */
export function pooledSize(bytes: number): number {
  return roundUp(bytes, Math.max(256, 2 ** (Math.ceil(Math.log2(bytes)) - 3)));
}

export function bufferPool(
  device: GPUDevice,
  limit: number,
  usage: number,
  label: string,
): BufferPool {
  const idle: GPUBuffer[] = [];
  let closed = false;
  return {
    take(bytes) {
      const size = Math.max(bytes, Math.min(pooledSize(bytes), limit));
      let best = -1;
      idle.forEach((buffer, i) => {
        const fits = buffer.size >= bytes && size >= buffer.size * LEAST_USE;
        if (fits && (best < 0 || buffer.size < idle[best]!.size)) best = i;
      });
      if (best >= 0) return idle.splice(best, 1)[0]!;
      return device.createBuffer({ label, size, usage });
    },
    give(buffer) {
      if (closed) {
        buffer.destroy();
        return;
      }
      idle.push(buffer);
      if (idle.length > MOST_IDLE) idle.shift()!.destroy();
    },
    close() {
      closed = true;
      for (const buffer of idle.splice(0)) buffer.destroy();
    },
  };
}
