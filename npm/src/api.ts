// convert and inspect, whatever runs the program.
import { SubbyteError } from './errors.js';
import { checkConvertOptions, checkInspectOptions, checkSource } from './given.js';
import { type Job, memoryFolder, type Outcome, type Progress } from './job.js';
import {
  type ConvertOptions,
  convertArguments,
  type Effort,
  type FixedOptions,
  inspectArguments,
  manifestPath,
  withEffort,
  writesOnnx,
} from './options.js';

export type {
  ConvertOptions,
  Effort,
  FixedOptions,
  MixedPrecision,
  Precision,
  TensorPrecision,
} from './options.js';
export type { Progress, Stage } from './job.js';

export { type ErrorCode, SubbyteError } from './errors.js';

/** A model that is read in pieces, such as over a network. */
export interface Sliced {
  name?: string;
  size: number;
  slice(start: number, end: number): Promise<ArrayBuffer | ArrayBufferView>;
}

/** A model's bytes; in Node also its path or its file: URL. */
export type ModelSource = string | URL | Blob | ArrayBuffer | ArrayBufferView | Sliced;

export interface RunOptions {
  /** Hears what is being done. */
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
  /** The model's name, where its source has none. */
  name?: string;
  /** Files that lie beside the model, by name: a large model keeps its weights in them. */
  data?: Record<string, Blob | ArrayBuffer | ArrayBufferView | Sliced>;
  /** false: the program runs on the calling thread, which it blocks until it ends. */
  worker?: boolean;
}

export interface ConvertRunOptions extends ConvertOptions, RunOptions {
  /**
   * In Node: the file to write, such as "web/model.webgpu.js", or a folder with / at its end, which is made if missing.
   * All that belongs to it comes beside it, whole or not at all.
   */
  output?: string;
  /** Where there is no `output`: the name of what is handed back; by default after the model's. */
  outputName?: string;
}

/** The manifest (docs/format.md). */
export interface Manifest {
  format: number;
  subbyte: string;
  precision: string;
  inputs: { name: string; dtype: string; dims: (number | string)[] }[];
  outputs: { name: string; dtype: string; dims: (number | string)[] }[];
  files: { name: string; bytes: number; sha256: string; chunks: string[] }[];
  weights: { name: string; shape: number[]; bits: number; bytes: number; [key: string]: unknown }[];
  totals: { parameters: number; bytes: number; bits_per_weight: number; [key: string]: unknown };
  [key: string]: unknown;
}

export interface ConvertResult {
  /** The module first, then what belongs to it; empty where `output` named a file on the disk. */
  files: File[];
  /** Of a module. */
  manifest?: Manifest;
  /** The line that the program ends with: sizes, bits a weight, what is lost. */
  summary: string;
  warnings: string[];
  /** In Node: the files on the disk that were read, the model's own among them. */
  filesRead: string[];
}

/** What `subbyte inspect --format json` tells. */
export interface Inspection {
  inputs: { name: string; dtype: string; dims: (number | string)[] }[];
  outputs: { name: string; dtype: string; dims: (number | string)[] }[];
  [key: string]: unknown;
}

export interface Engine {
  /** Runs the program in a worker, or here where `here` is set. */
  run(job: Omit<Job, 'module' | 'environment'>, options: RunOptions): Promise<Outcome>;
  /** Where a path names a file: how the program calls it. */
  path?(path: string): string;
  /** The path that a URL stands for; throws where it is none of a file. */
  pathOfUrl?(url: URL): string;
  /** Where the options name none. */
  effort?: Effort;
  readJson?(path: string): Promise<Manifest>;
}

/** Bytes of a model, for the program: a Blob stays where it is. */
async function contentOf(source: Exclude<ModelSource, string | URL>): Promise<Uint8Array | Blob> {
  if (source instanceof Blob) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source))
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  const piece = 16 << 20;
  const parts: BlobPart[] = [];
  for (let at = 0; at < source.size; at += piece) {
    const part = await source.slice(at, Math.min(source.size, at + piece));
    // Blobs of many parts may lie on the disk.
    parts.push(new Blob([part as BlobPart]));
  }
  const blob = new Blob(parts);
  if (blob.size !== source.size)
    throw new SubbyteError('failed', `the model gave ${blob.size} bytes of ${source.size}`);
  return blob;
}

function baseName(path: string): string {
  return path.split(/[\\/]/).pop()!;
}

interface Prepared {
  /** How the program calls the model. */
  path: string;
  name: string;
  inputs: Job['inputs'];
}

async function prepare(engine: Engine, given: ModelSource, options: RunOptions): Promise<Prepared> {
  const source = given instanceof URL ? (engine.pathOfUrl?.(given) ?? given.href) : given;
  checkSource('the model', source);
  const inputs: Job['inputs'] = [];
  for (const [name, data] of Object.entries(options.data ?? {})) {
    if (baseName(name) !== name || name === '')
      throw new SubbyteError('usage', `data: '${name}' is not the name of a file beside the model`);
    checkSource(`data: '${name}'`, data);
    inputs.push({ name, content: await contentOf(data) });
  }
  if (typeof source === 'string') {
    if (!engine.path)
      throw new SubbyteError(
        'usage',
        `'${source}': a browser opens no path; give a File, a Blob or the model's bytes`,
      );
    if (inputs.length > 0)
      throw new SubbyteError('usage', 'data: the files of a model on the disk lie beside it there');
    return { path: engine.path(source), name: baseName(source), inputs };
  }
  const named = 'name' in source && typeof source.name === 'string' ? source.name : undefined;
  const name = baseName(options.name ?? named ?? 'model.onnx') || 'model.onnx';
  if (inputs.some((input) => input.name === name))
    throw new SubbyteError('usage', `data: '${name}' is the model's own name`);
  inputs.push({ name, content: await contentOf(source) });
  return { path: `${memoryFolder}/${name}`, name, inputs };
}

/** In `memoryFolder`. No model, data or output can be called so, for theirs are names without a backslash. */
const rulesName = 'options\\mixedPrecision';

/** What the program says, with the names that its caller knows. */
function told(text: string): string {
  return text
    .replace(/--mixed-precision-config '[^']*mixedPrecision'/g, 'mixedPrecision')
    .replaceAll(
      `put it beside the model, in the folder '${memoryFolder}'`,
      'give its bytes in `data`',
    )
    .replaceAll(memoryFolder + '/', '')
    .trimEnd();
}

function messages(stderr: string, level: 'error' | 'warning'): string[] {
  const found: string[] = [];
  let current: string | undefined;
  for (const line of told(stderr).split('\n')) {
    const start = /^(error|warning): /.exec(line);
    if (start) {
      if (current !== undefined) found.push(current);
      current = start[1] === level ? line.slice(start[0].length) : undefined;
    } else if (current !== undefined) current += '\n' + line;
  }
  if (current !== undefined) found.push(current);
  return found;
}

function check(outcome: Outcome): Outcome {
  if (outcome.status === 0) return outcome;
  const found = messages(outcome.stderr, 'error');
  throw new SubbyteError(
    outcome.status === 2 ? 'usage' : 'failed',
    found.length > 0 ? found.join('\n') : told(outcome.stderr) || 'the program said nothing',
  );
}

const types: Record<string, string> = {
  js: 'text/javascript',
  mjs: 'text/javascript',
  json: 'application/json',
};

function fileOf({ name, pieces }: Outcome['files'][number]): File {
  const type = types[name.split('.').pop()!] ?? 'application/octet-stream';
  return new File(pieces as BlobPart[], name, { type });
}

/** Where the program is to write: a name of the caller's, or a folder in which it names the file itself. */
function outputOf(engine: Engine, { output, outputName }: ConvertRunOptions): string {
  if (output !== undefined && outputName !== undefined)
    throw new SubbyteError(
      'usage',
      'outputName: `output` already says where the result goes; leave one of the two out',
    );
  if (output !== undefined) {
    if (engine.path) return engine.path(output);
    throw new SubbyteError('usage', 'output: a browser writes no file; take those of the result');
  }
  if (outputName !== undefined && (outputName === '' || baseName(outputName) !== outputName))
    throw new SubbyteError('usage', `outputName: '${outputName}' is not the name of a file`);
  return `${memoryFolder}/${outputName ?? ''}`;
}

/** What is handed back, the module or the ONNX file first. */
function inOrder(files: File[], onnx: boolean): File[] {
  const isFirst = ({ name }: File) => (onnx ? /\.onnx$/ : /\.m?js$/).test(name);
  return files.sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)));
}

/** What is thrown by whatever, as the error that callers are promised. */
async function promised<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SubbyteError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new SubbyteError('failed', message, { cause: error });
  }
}

async function convertModel(
  engine: Engine,
  source: ModelSource,
  options: ConvertRunOptions,
): Promise<ConvertResult> {
  checkConvertOptions(options);
  const output = outputOf(engine, options);
  const model = await prepare(engine, source, options);
  let args = ['convert', model.path, '--output', output, '--log-level', 'warning'];
  if (options.mixedPrecision) {
    const text = JSON.stringify(options.mixedPrecision);
    model.inputs.push({ name: rulesName, content: new TextEncoder().encode(text) });
    args.push('--mixed-precision-config', `${memoryFolder}/${rulesName}`);
  }
  args.push(...convertArguments(options));
  if (engine.effort) args = withEffort(args, engine.effort);
  const onnx = writesOnnx(args);
  const outcome = check(await engine.run({ args, inputs: model.inputs }, options));
  const result: ConvertResult = {
    files: inOrder(outcome.files.map(fileOf), onnx),
    summary: told(outcome.stdout),
    warnings: messages(outcome.stderr, 'warning'),
    filesRead: outcome.filesRead,
  };
  if (onnx) return result;
  if (options.output !== undefined) {
    result.manifest = await engine.readJson!(manifestPath(options.output, model.name));
  } else {
    const name = manifestPath(result.files[0]!.name, model.name);
    const manifest = result.files.find((file) => file.name === name)!;
    result.manifest = JSON.parse(await manifest.text()) as Manifest;
  }
  return result;
}

export function convertWith(
  engine: Engine,
  source: ModelSource,
  options: ConvertRunOptions,
): Promise<ConvertResult> {
  return promised(() => convertModel(engine, source, options));
}

export function inspectWith(
  engine: Engine,
  source: ModelSource,
  options: FixedOptions & RunOptions,
): Promise<Inspection> {
  return promised(async () => {
    checkInspectOptions(options);
    const model = await prepare(engine, source, options);
    const args = ['inspect', model.path, ...inspectArguments(options)];
    const outcome = check(await engine.run({ args, inputs: model.inputs }, options));
    return JSON.parse(told(outcome.stdout)) as Inspection;
  });
}
