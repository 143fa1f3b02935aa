// What users see, typed loosely: runtime/module.d.ts is the same for the users of one model.
import type { Data } from './dtype.js';
import type { DType } from './plan.js';

/** An input or output of a model; a dim with a name takes any size that the model allows. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly (number | string)[];
}

export interface Tensor {
  data: Data;
  dims: number[];
  dtype: DType;
}

/** A tensor on the GPU: one 32-bit word for each value, whatever the dtype (float16 as f32, int64 as i32). */
export interface GpuTensorLike {
  buffer: GPUBuffer;
  offset?: number;
  dims: readonly number[];
  dtype?: DType;
}

export interface Progress {
  /** `download` counts bytes of weights; then `compile` counts pipelines. */
  phase: 'download' | 'compile';
  loaded: number;
  total: number;
}

export type ReadWeights = (
  file: string,
  offset: number,
  bytes: number,
  signal: AbortSignal,
) => Promise<ArrayBuffer | ArrayBufferView> | ArrayBuffer | ArrayBufferView;

export type WeightSource = URL | string | Response | Blob | ArrayBuffer | ArrayBufferView;

export interface LoadOptions {
  device?: GPUDevice | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  signal?: AbortSignal | undefined;
  weights?:
    | WeightSource
    | Promise<WeightSource>
    | (WeightSource | Promise<WeightSource>)[]
    | ReadWeights
    | undefined;
  requestInit?: RequestInit | undefined;
  internal?: InternalOptions | undefined;
}

/** For tests of the runtime; not part of what users may rely on. */
export interface InternalOptions {
  /** Lower limits than the device's, to meet splits and several arenas with small models. */
  limits?: Record<string, number>;
  /** Fill the arenas with NaN before each run, so that a read of what was not written shows. */
  poison?: boolean;
  /** In place of the bytes of arenas that may be kept for sizes not in use. */
  keptArenaBytes?: number;
}

export interface RunOptions {
  keep?: readonly string[];
}
