import { MODE_WRITE, roundUp } from './gpu.js';
import type { Memory } from './memory.js';

/** GPU buffers of one usage that are lent and given back, so that runs in the steady state create none. */
export interface BufferPool {
  /** A buffer of at least `bytes`; one that must be made has `size`, of which the default is a little more. */
  take(bytes: number, size?: number): GPUBuffer;
  give(buffer: GPUBuffer): void;
  /** Whether a buffer, were it idle, could be taken for so many bytes. */
  serves(buffer: GPUBuffer, bytes: number, size?: number): boolean;
  /** The idle buffer that would be taken: the smallest, and of equal ones that given back last. */
  next(bytes: number, size?: number): GPUBuffer | undefined;
  /** A new buffer of so many bytes, lent. */
  make(bytes: number): GPUBuffer;
  /** Destroys the idle buffers; those lent are destroyed when they are given back. */
  close(): void;
}

export interface PoolOptions {
  label: string;
  usage: number;
  /** The most bytes of a buffer. */
  limit: number;
  /** Idle buffers kept; the one that has been idle longest goes first. */
  mostIdle: number;
  /** Whether buffers are made mapped, and given back so. */
  mapped?: boolean;
}

/** A buffer serves a request for at least this part of its size: more would tie up memory. */
const LEAST_USE = 1 / 2;
/** A buffer that so many requests have passed over goes: what grows has left it behind. */
const MOST_PASSES = 16;
/** Above this, sizes are rounded up by a sixteenth at most; below it by a quarter. */
const LARGE_BYTES = 64 * 1024 * 1024;

/** Sizes are rounded up, so that tensors which grow run by run find their buffers again. */
export function pooledSize(bytes: number): number {
  const parts = bytes > LARGE_BYTES ? 5 : 3;
  return roundUp(bytes, Math.max(256, 2 ** (Math.ceil(Math.log2(bytes)) - parts)));
}

const idleBuffers = new WeakSet<GPUBuffer>();

/** Whether a buffer lies idle in a pool: what is in it may be overwritten by the next run. */
export function isIdle(buffer: GPUBuffer): boolean {
  return idleBuffers.has(buffer);
}

export function bufferPool(memory: Memory, options: PoolOptions): BufferPool {
  const { label, usage, limit, mostIdle, mapped = false } = options;
  let idle: { buffer: GPUBuffer; passes: number }[] = [];
  let closed = false;
  const make = (size: number): GPUBuffer =>
    memory.make({ label, size, usage, mappedAtCreation: mapped });
  const serves = (buffer: GPUBuffer, bytes: number, size = pooledSize(bytes)): boolean =>
    buffer.size >= bytes && Math.max(bytes, size) >= buffer.size * LEAST_USE;
  const next = (bytes: number, size?: number): GPUBuffer | undefined => {
    let best: GPUBuffer | undefined;
    for (const { buffer } of idle) {
      if (serves(buffer, bytes, size) && (!best || buffer.size <= best.size)) best = buffer;
    }
    return best;
  };
  return {
    make,
    serves,
    next,
    take(bytes, size = pooledSize(bytes)) {
      const best = next(bytes, size);
      idle = idle.filter((one) => {
        if (one.buffer === best) return false;
        if (++one.passes <= MOST_PASSES) return true;
        one.buffer.destroy();
        return false;
      });
      if (best) idleBuffers.delete(best);
      return best ?? make(Math.max(bytes, Math.min(size, limit)));
    },
    give(buffer) {
      if (closed) {
        buffer.destroy();
        return;
      }
      idle.push({ buffer, passes: 0 });
      idleBuffers.add(buffer);
      if (idle.length > mostIdle) idle.shift()!.buffer.destroy();
    },
    close() {
      closed = true;
      for (const { buffer } of idle.splice(0)) buffer.destroy();
    },
  };
}

/** Gives a buffer back to its pool of mapped buffers when the GPU has done with it. */
export function giveMapped(pool: BufferPool, buffer: GPUBuffer): void {
  buffer.mapAsync(MODE_WRITE).then(
    () => pool.give(buffer),
    () => buffer.destroy(),
  );
}
