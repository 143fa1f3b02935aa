// What a caller gave, before anything is done with it: a name or a kind that is wrong is an error, never left out.
import { type ConvertRunOptions, type RunOptions, SubbyteError } from './api.js';
import type { FixedOptions } from './options.js';

type Names<Options> = Record<keyof Required<Options>, true>;

const inspectNames: Names<FixedOptions & RunOptions> = {
  dims: true,
  inputs: true,
  onProgress: true,
  signal: true,
  name: true,
  data: true,
  worker: true,
};

const convertNames: Names<ConvertRunOptions> = {
  ...inspectNames,
  precision: true,
  targetSize: true,
  targetBits: true,
  maxLoss: true,
  targetFormat: true,
  mixedPrecision: true,
  activations: true,
  singleFile: true,
  shardSize: true,
  calibration: true,
  effort: true,
  check: true,
  modelType: true,
  force: true,
  args: true,
  output: true,
  outputName: true,
};

function usage(message: string): SubbyteError {
  return new SubbyteError('usage', message);
}

function checkOptions(verb: string, names: Record<string, true>, given: unknown): void {
  if (typeof given !== 'object' || given === null)
    throw usage(`${verb}: its options are an object, such as { signal }`);
  for (const name of Object.keys(given))
    if (!Object.hasOwn(names, name))
      throw usage(
        `${verb}: there is no option '${name}'; there are ${Object.keys(names).join(', ')}`,
      );
  const { onProgress, signal } = given as RunOptions;
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw usage(`${verb}: onProgress is to be a function`);
  if (signal !== undefined && typeof signal?.addEventListener !== 'function')
    throw usage(`${verb}: signal is to be an AbortSignal`);
}

export function checkConvertOptions(given: unknown): void {
  checkOptions('convert', convertNames, given);
}

export function checkInspectOptions(given: unknown): void {
  checkOptions('inspect', inspectNames, given);
}

/** Whether it is one of what a model, or a file beside it, may be given as; `what` names it in the error. */
export function checkSource(what: string, given: unknown): void {
  if (typeof given === 'string' || given instanceof Blob || given instanceof ArrayBuffer) return;
  if (ArrayBuffer.isView(given)) return;
  const { size, slice } = (given ?? {}) as { size?: unknown; slice?: unknown };
  if (Number.isSafeInteger(size) && typeof slice === 'function') return;
  throw usage(
    `${what}: this is nothing to read a model from; give a Blob, an ArrayBuffer, a typed array, something with size and ` +
      'slice(start, end), or in Node a path or a file: URL',
  );
}
