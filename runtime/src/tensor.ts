import { decode } from './dtype.js';
import type { DType } from './plan.js';
import type { Tensor } from './types.js';

/** An output that stays on the GPU, from byte 0 of the buffer on. */
export interface GpuTensor {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly dims: number[];
  readonly dtype: DType;
  /** Copies the values to the CPU. */
  read(): Promise<Tensor>;
  /** Gives the buffer back. The tensor cannot be used after it. */
  dispose(): void;
}

const disposed = new WeakSet<object>();

export function isDisposed(tensor: object): boolean {
  return disposed.has(tensor);
}

export function gpuTensor(
  buffer: GPUBuffer,
  dims: number[],
  dtype: DType,
  width: number,
  read: (tensor: object) => Promise<ArrayBuffer>,
  release: () => void,
): GpuTensor {
  const tensor: GpuTensor = {
    buffer,
    offset: 0,
    dims,
    dtype,
    read: async () => ({ data: decode(dtype, await read(tensor), width), dims: [...dims], dtype }),
    dispose() {
      if (disposed.has(tensor)) return;
      disposed.add(tensor);
      release();
    },
  };
  if (Symbol.dispose) {
    Object.defineProperty(tensor, Symbol.dispose, { value: tensor.dispose });
  }
  return tensor;
}
