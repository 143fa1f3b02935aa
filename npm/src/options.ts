// The options of convert and inspect, and the command line that they stand for.

/** The words of --precision; those of a line mean the same. */
export const precisions = [
  ...(['float32', 'fp32'] as const),
  ...(['float16', 'fp16'] as const),
  ...(['8bit', 'int8'] as const),
  ...(['4bit', 'int4'] as const),
  ...(['3bit', 'int3'] as const),
  ...(['2bit', 'int2'] as const),
  'mixed',
] as const;

export type Precision = (typeof precisions)[number];

/** How a tensor is stored, as `subbyte quantize` writes it. */
export interface TensorPrecision {
  precision: string;
  /** The two go together: how many weights have a scale in common, and the bits of its zero point. */
  group?: number;
  zero_point_bits?: number;
  /** What it was measured to cost; not read. */
  loss?: number;
}

/**
 * Rules of your own, or what `subbyte quantize` wrote: README.md#mixed-precision of the repository. Words of precisions
 * are `string`, so that an imported JSON file fits; the program refuses those that it does not know.
 */
export interface MixedPrecision {
  model_name?: string;
  written_by?: string;
  /** Of what no rule names, where `precision` is left out. */
  precision?: string;
  mixed_precision?: Partial<
    Record<`${'2bit' | '3bit' | '4bit' | '8bit' | 'fp16'}_layers`, number[]>
  >;
  components?: Record<string, string>;
  tensors?: Record<string, string | TensorPrecision>;
}

export type Effort = 'fast' | 'good' | 'best';

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
  /** Choose the width of each weight so that all take at most this, such as "20MB"; this or one of the next two. */
  targetSize?: string;
  /** The same for so many bits a weight, such as 3.2. */
  targetBits?: number;
  /** Choose the smallest that loses at most this of the outputs: "error=1%", "flips=2%", "kl=0.05", or a number alone. */
  maxLoss?: string | number;
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
  /** How much work measuring and calibration may do: by default fast in a browser and in plugins, else good. */
  effort?: Effort;
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
  const add = (option: string, value: string | number | undefined) => {
    if (value !== undefined) args.push(option, String(value));
  };
  add('--precision', options.precision);
  add('--target-size', options.targetSize);
  add('--target-bits', options.targetBits);
  add('--max-loss', options.maxLoss);
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

/** The value of an option on a command line; undefined where it is not there. */
function valueOf(args: readonly string[], option: string): string | undefined {
  for (const [index, arg] of args.entries()) {
    if (arg === option) return args[index + 1];
    if (arg.startsWith(option + '=')) return arg.slice(option.length + 1);
  }
  return undefined;
}

/** A command line with an effort, which is `effort` where it names none and there is work to do. */
export function withEffort(args: readonly string[], effort: Effort): string[] {
  const isSaid =
    valueOf(args, '--effort') !== undefined || valueOf(args, '--calibration') === 'none';
  return isSaid ? [...args] : [...args, '--effort', effort];
}

export function writesOnnx(args: readonly string[]): boolean {
  return valueOf(args, '--target-format') === 'onnx';
}

/** The manifest beside a module that was written to `output`: in a folder the program names it after the model. */
export function manifestPath(output: string, modelName: string): string {
  const stem = modelName.replace(/(?<=.)\.[^.]*$/, '');
  const module = /[\\/]$/.test(output) ? `${output}${stem}.webgpu.js` : output;
  return module.replace(/\.m?js$/, '.json');
}

export function inspectArguments(options: FixedOptions): string[] {
  return ['--format', 'json', ...fixedArguments(options)];
}
