// WebGPU's types where the compilation has them (TypeScript's DOM library, @webgpu/types), else `any`.
type GlobalType<Name extends string> = typeof globalThis extends {
  [name in Name]: { prototype: infer Type };
}
  ? Type
  : any;
type GPUDeviceType = GlobalType<'GPUDevice'>;
type GPUBufferType = GlobalType<'GPUBuffer'>;

declare global {
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
}

/** A Float16Array, which TypeScript's libraries need not know yet. */
interface HalfArray {
  readonly [Symbol.toStringTag]: 'Float16Array';
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
  readonly length: number;
}

/** What an input of each dtype takes as data. */
interface InputData {
  float32: Float32Array;
  /** Half bits, where it is a Uint16Array. */
  float16: Uint16Array | HalfArray;
  bfloat16: Uint16Array;
  float64: Float64Array;
  /** Values must fit 32 bits where the GPU computes with them. */
  int64: BigInt64Array | Int32Array;
  int32: Int32Array;
  int16: Int16Array;
  int8: Int8Array;
  uint64: BigUint64Array | Uint32Array;
  uint32: Uint32Array;
  uint16: Uint16Array;
  uint8: Uint8Array | Uint8ClampedArray;
  /** 0 is false, all else true. */
  bool: Uint8Array | Int8Array;
}

/** What an output of each dtype gives as data. */
interface OutputData {
  float32: Float32Array;
  /** Half bits. */
  float16: Uint16Array;
  bfloat16: Uint16Array;
  float64: Float64Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int16: Int16Array;
  int8: Int8Array;
  uint64: BigUint64Array;
  uint32: Uint32Array;
  uint16: Uint16Array;
  uint8: Uint8Array;
  /** 0 or 1. */
  bool: Uint8Array;
}

export type DType = keyof OutputData;

/** The dims of one call: numbers, as many as the model's. */
type Sizes<Dims extends readonly (number | string)[]> = {
  -readonly [Axis in keyof Dims]: Dims[Axis] extends number ? Dims[Axis] : number;
};

/** A tensor on the CPU, in row-major order. */
export interface InputTensor<Type extends DType, Dims extends readonly (number | string)[]> {
  data: InputData[Type];
  dims: Readonly<Sizes<Dims>>;
}

/**
 * A tensor on the GPU: one 32-bit word for each value from `offset` (bytes, a multiple of 4; 0 if absent) on, whatever the
 * dtype: floats of any width as f32, signed integers as i32, unsigned ones and bool as u32. The buffer has the usage
 * COPY_SRC, belongs to the model's device and stays the caller's. With the usage STORAGE too, at an offset that is a multiple
 * of 256, and with room for the values in whole units of 16 bytes, it is read where it lies; else it is copied first.
 * Its values are not checked: an id that a table has not reads the nearest row.
 */
export interface GpuInputTensor<Type extends DType, Dims extends readonly (number | string)[]> {
  buffer: GPUBufferType;
  offset?: number;
  dims: Readonly<Sizes<Dims>>;
  dtype?: Type;
}

export interface OutputTensor<Type extends DType, Dims extends readonly (number | string)[]> {
  data: OutputData[Type];
  dims: Sizes<Dims>;
  dtype: Type;
}

/** An output that stays on the GPU, in the form that inputs on the GPU have. */
export interface GpuOutputTensor<Type extends DType, Dims extends readonly (number | string)[]> {
  readonly buffer: GPUBufferType;
  readonly offset: number;
  readonly dims: Sizes<Dims>;
  readonly dtype: Type;
  /** Copies the values to the CPU. */
  read(): Promise<OutputTensor<Type, Dims>>;
  /** Gives the buffer back to the model; the tensor cannot be used after it. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** An input or output of a model; a dim with a name takes any size that the model allows. */
export interface TensorInfo<
  Name extends string = string,
  Type extends DType = DType,
  Dims extends readonly (number | string)[] = readonly (number | string)[],
> {
  readonly name: Name;
  readonly dtype: Type;
  readonly dims: Dims;
}

/** For each name of a list of TensorInfo, what to hand in. */
export type InputsOf<List extends readonly TensorInfo[]> = {
  [Info in List[number] as Info['name']]:
    InputTensor<Info['dtype'], Info['dims']> | GpuInputTensor<Info['dtype'], Info['dims']>;
};

/** The same with dims of any rank and size: `[]` makes those that are written out a tuple. */
type LooseInputsOf<List extends readonly TensorInfo[]> = {
  [Info in List[number] as Info['name']]: (
    Omit<InputTensor<Info['dtype'], []>, 'dims'> | Omit<GpuInputTensor<Info['dtype'], []>, 'dims'>
  ) & { dims: readonly number[] | [] };
};

/**
 * What is still wrong with inputs of this type: dims of a known rank must be the model's, a `number[]` is checked by `run`. A
 * name that the model has not may not be there.
 */
type Checked<List extends readonly TensorInfo[], Given> = {
  [Info in List[number] as Info['name']]: Info['name'] extends keyof Given
    ? Given[Info['name']] extends { dims: infer Dims extends readonly number[] }
      ? { dims: number extends Dims['length'] ? readonly number[] : Readonly<Sizes<Info['dims']>> }
      : unknown
    : unknown;
} & { [Name in Exclude<keyof Given, KnownNames<List>>]: never };

/** The names of inputs; of a model that is not known to the types any, which numbers are too. */
type KnownNames<List extends readonly TensorInfo[]> =
  List[number]['name'] | (string extends List[number]['name'] ? number : never);

/** For each name of a list of TensorInfo, what comes back: on the GPU for the names kept. */
export type OutputsOf<List extends readonly TensorInfo[], Keep extends string = never> = {
  [Info in List[number] as Info['name']]: Info['name'] extends Keep
    ? GpuOutputTensor<Info['dtype'], Info['dims']>
    : OutputTensor<Info['dtype'], Info['dims']>;
};

export interface Progress {
  /** `download` counts bytes of weights; then `compile` counts the pipelines that `load` waits for. */
  phase: 'download' | 'compile';
  loaded: number;
  total: number;
}

export type WeightSource = URL | string | Response | Blob | ArrayBuffer | ArrayBufferView;

/** Exactly `bytes` bytes of the file of that name, from `offset` on. */
export type ReadWeights = (
  file: string,
  offset: number,
  bytes: number,
  signal: AbortSignal,
) => Promise<ArrayBuffer | ArrayBufferView> | ArrayBuffer | ArrayBufferView;

export interface LoadOptions {
  /** A device to run on. It is shared: used as it is, and never destroyed. By default a new one is made. */
  device?: GPUDeviceType | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Stops the loading, which then rejects with the code `aborted`. */
  signal?: AbortSignal | undefined;
  /**
   * Where the weights are, if not beside the module: a URL (a path in Node), bytes, or a function that reads ranges. Of a
   * model in several files: an array of as many, the URL of their folder (ending in "/"), or a function.
   */
  weights?:
    | WeightSource
    | Promise<WeightSource>
    | (WeightSource | Promise<WeightSource>)[]
    | ReadWeights
    | undefined;
  /** For the fetch of the weights: headers, credentials, cache. */
  requestInit?: RequestInit | undefined;
  /**
   * Keeps weights that are fetched in Cache Storage, under the name "subbyte" and by their hash, and takes them from there when
   * the model is loaded again; what is there is checked like any weights, and fetched anew where it is damaged. Without effect
   * where weights are not fetched, where there is no Cache Storage (Node, pages that are not secure), and where it has no
   * room. Weights of models that are no longer used stay until `caches.delete('subbyte')`.
   */
  cache?: boolean | undefined;
  /**
   * The sizes that the first run will have, by the names of dims: `load` waits for the kernels that they use, the others are
   * compiled after it, or when a run needs one, which then waits for it. A size that is not given counts as 1 for the
   * first axis of an input; for another axis as 320 where it is the only open one of an input of four or more axes, as 640 where
   * there are several, and as 32 of any other input.
   */
  warm?: { dims?: Readonly<Record<string, number>> | undefined } | undefined;
}

/** What went wrong, for programs; the message says it for people. */
export type ErrorCode =
  /** There is no WebGPU, no GPU for it, or the GPU refused a device. */
  | 'no-webgpu'
  | 'no-adapter'
  | 'no-device'
  /** This GPU's limits are too small for the model, or for these sizes. */
  | 'limits'
  | 'bad-option'
  /** An input is unknown, missing, or not of the form that an input has. */
  | 'bad-input'
  /** An unknown output in `keep` or `into`. */
  | 'bad-output'
  | 'bad-dtype'
  /** Wrong rank, dims or number of values, or sizes that the model does not allow. */
  | 'bad-shape'
  /** A value that the GPU's 32 bits cannot hold. */
  | 'out-of-range'
  /** Weights could not be read. */
  | 'download'
  /** Weights were read, and are not the model's. */
  | 'integrity'
  /** The GPU's driver refused a kernel. */
  | 'compile'
  | 'out-of-memory'
  /** By the signal; the error's `name` is then `AbortError`. */
  | 'aborted'
  | 'device-lost'
  | 'disposed'
  /** A defect of subbyte. */
  | 'internal';

/** The error that `load`, `run` and `read` reject with. */
export declare class SubbyteError extends Error {
  readonly code: ErrorCode;
}

export interface RunOptions<
  Outputs extends readonly TensorInfo[],
  Keep extends Outputs[number]['name'],
> {
  /** Outputs that stay on the GPU. */
  keep?: readonly Keep[] | undefined;
  /**
   * Arrays that outputs are written into when the run ends, in place of new ones: of the type that the output has, and as
   * long. No output is named here and in `keep`.
   */
  into?:
    | {
        [Info in Outputs[number] as Exclude<Info['name'], Keep>]?:
          OutputData[Info['dtype']] | undefined;
      }
    | undefined;
}

export interface Model<
  Inputs extends readonly TensorInfo[],
  Outputs extends readonly TensorInfo[],
> {
  readonly inputs: Inputs;
  readonly outputs: Outputs;
  /** The device the model runs on: to make buffers for inputs that are on the GPU. */
  readonly device: GPUDeviceType;
  /** Resolves when the device is lost, but not through `dispose`. */
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  /**
   * Runs may overlap. The inputs are read before `run` returns its promise, so their arrays and buffers may be reused at once.
   * An output that is kept and given to a later run as an input is not copied: a state goes round on the GPU.
   */
  run<Given extends LooseInputsOf<Inputs>, Keep extends Outputs[number]['name'] = never>(
    inputs: Given & Checked<Inputs, Given>,
    options?: RunOptions<Outputs, Keep>,
  ): Promise<OutputsOf<Outputs, Keep>>;
  /** Frees everything once the runs under way have ended; later runs reject with the code `disposed`. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** What the model makes use of where the device has it. */
export interface Requirements {
  features: string[];
  limits: Record<string, number>;
}

export declare const format: 1;
export declare const requirements: Requirements;
