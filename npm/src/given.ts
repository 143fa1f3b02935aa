// What a caller gave, before anything is done with it: a name or a kind that is wrong is an error, never left out.
import type { ConvertRunOptions, RunOptions } from './api.js';
import { SubbyteError } from './errors.js';
import type { FixedOptions } from './options.js';

/** What an option's value is to be. Words and numbers are the program's to refuse, which names what there is. */
type Kind =
  | 'any'
  | 'true or false'
  | 'a function'
  | 'an AbortSignal'
  | 'an object'
  | 'an array of strings'
  | 'a string';

type Kinds<Options> = Record<keyof Required<Options>, Kind>;

const inspectKinds: Kinds<FixedOptions & RunOptions> = {
  dims: 'an object',
  inputs: 'an object',
  onProgress: 'a function',
  signal: 'an AbortSignal',
  name: 'a string',
  data: 'an object',
  worker: 'true or false',
};

const convertKinds: Kinds<ConvertRunOptions> = {
  ...inspectKinds,
  precision: 'any',
  targetSize: 'any',
  targetBits: 'any',
  maxLoss: 'any',
  targetFormat: 'any',
  mixedPrecision: 'an object',
  activations: 'any',
  singleFile: 'true or false',
  shardSize: 'any',
  calibration: 'true or false',
  effort: 'any',
  check: 'any',
  modelType: 'a string',
  force: 'true or false',
  args: 'an array of strings',
  output: 'a string',
  outputName: 'a string',
};

function isOfKind(kind: Kind, value: unknown): boolean {
  switch (kind) {
    case 'any':
      return true;
    case 'true or false':
      return typeof value === 'boolean';
    case 'a function':
      return typeof value === 'function';
    case 'an AbortSignal':
      return typeof (value as AbortSignal | null)?.addEventListener === 'function';
    case 'an object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'an array of strings':
      return Array.isArray(value) && value.every((one) => typeof one === 'string');
    case 'a string':
      return typeof value === 'string';
  }
}

function usage(message: string): SubbyteError {
  return new SubbyteError('usage', message);
}

function checkOptions(verb: string, kinds: Record<string, Kind>, given: unknown): void {
  if (typeof given !== 'object' || given === null)
    throw usage(`${verb}: its options are an object, such as { signal }`);
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(kinds, name))
      throw usage(
        `${verb}: there is no option '${name}'; there are ${Object.keys(kinds).join(', ')}`,
      );
    const kind = kinds[name]!;
    if (value === undefined || isOfKind(kind, value)) continue;
    throw usage(`${verb}: ${name} is to be ${kind}, and is ${shown(value)}`);
  }
}

/** A value that is wrong, in a message. */
function shown(value: unknown): string {
  return typeof value === 'string'
    ? `'${value}'`
    : Array.isArray(value)
      ? 'an array'
      : String(value);
}

export function checkConvertOptions(given: unknown): void {
  checkOptions('convert', convertKinds, given);
  const { check } = given as ConvertRunOptions;
  if (check !== undefined && typeof check !== 'boolean' && check !== 'always')
    throw usage(`convert: check is to be true, false or 'always', and is ${shown(check)}`);
}

export function checkInspectOptions(given: unknown): void {
  checkOptions('inspect', inspectKinds, given);
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
