// What users see, typed loosely where runtime/module.d.ts types it for one model.
import type { DType, LoadOptions as ModuleLoadOptions } from '../module';
import type { Data } from './dtype.js';

export type { Progress, ReadWeights, TensorInfo, WeightSource } from '../module';

export interface Tensor {
  data: Data;
  dims: number[];
  dtype: DType;
}

export interface LoadOptions extends ModuleLoadOptions {
  internal?: InternalOptions | undefined;
}

/** For tests of the runtime; not part of what users may rely on. */
export interface InternalOptions {
  /** Lower limits than the device's, to meet splits and several arenas with small models. */
  limits?: Record<string, number>;
  /** Fill the arenas with NaN before each run, so that a read of what was not written shows. */
  poison?: boolean;
  /** Memory for exactly the sizes of a run, so that results can be compared. */
  exactSizes?: boolean;
  /** In place of the bytes of arenas that may be kept for sizes not in use. */
  keptArenaBytes?: number;
}

export interface RunOptions {
  keep?: readonly string[];
  into?: Record<string, Data>;
}
