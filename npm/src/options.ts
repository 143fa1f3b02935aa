// The options of convert and inspect, and the command line that they stand for.

export type Precision =
  'float32' | 'float16' | 'int8' | '8bit' | '4bit' | '3bit' | '2bit' | 'mixed';

/** docs/mixed-precision.md */
export interface MixedPrecision {
  model_name?: string;
  mixed_precision?: Partial<
    Record<`${'2bit' | '3bit' | '4bit' | '8bit' | 'fp16'}_layers`, number[]>
  >;
  components?: Record<string, string>;
  tensors?: Record<string, string>;
}

/** Sizes and inputs that become constants. */
export interface FixedOptions {
  /** Sizes that are always the same, by the name of the dimension. */
  dims?: Record<string, number>;
  /** Inputs that are always the same, by name. */
  inputs?: Record<string, string | number | boolean>;
}

export interface ConvertOptions extends FixedOptions {
  /** How weights are stored; 8bit where it is left out. */
  precision?: Precision;
  targetFormat?: 'webgpu' | 'onnx';
  /** Precision by layers, components and tensors. */
  mixedPrecision?: MixedPrecision;
  /** How activations that the model rounds are computed. */
  activations?: 'model' | 'float32';
  /** The weights inside the module, up to 100 MB. */
  singleFile?: boolean;
  /** The largest file of weights, such as "200MB". */
  shardSize?: string;
  /** false: weights are rounded as they are. */
  calibration?: boolean;
  effort?: 'fast' | 'good' | 'best';
  /** Whether the module is compared with the source; "always": however large it is. */
  check?: boolean | 'always';
  modelType?: string;
  /** Replace files that subbyte did not write. */
  force?: boolean;
  /** Further options, as `npx subbyte convert --help` lists them. */
  args?: readonly string[];
}

function fixedArguments(options: FixedOptions): string[] {
  return [
    ...Object.entries(options.dims ?? {}).flatMap(([name, size]) => ['--dim', `${name}=${size}`]),
    ...Object.entries(options.inputs ?? {}).flatMap(([name, value]) => [
      '--input',
      `${name}=${value}`,
    ]),
  ];
}

export function convertArguments(options: ConvertOptions): string[] {
  const args: string[] = [];
  const add = (option: string, value: string | undefined) => {
    if (value !== undefined) args.push(option, value);
  };
  add('--precision', options.precision);
  add('--target-format', options.targetFormat);
  add('--activations', options.activations);
  add('--shard-size', options.shardSize);
  add('--effort', options.effort);
  add('--model-type', options.modelType);
  if (options.calibration === false) args.push('--calibration', 'none');
  if (options.singleFile) args.push('--single-file');
  if (options.force) args.push('--force');
  if (options.check === false) args.push('--no-check');
  if (options.check === 'always') args.push('--check');
  return [...args, ...fixedArguments(options), ...(options.args ?? [])];
}

export function inspectArguments(options: FixedOptions): string[] {
  return ['--format', 'json', ...fixedArguments(options)];
}
