// One run of the program in WebAssembly: what it is given, and what it leaves.
import { FileError, type Files, kinds, MountedFiles, type OpenFile } from './files.js';
import { MemoryFiles, type Source, sourceOfBytes } from './memory_files.js';
import { Wasi } from './wasi.js';

/** The folder in which the program sees what lies in memory. */
export const memoryFolder = '/subbyte-memory';

export interface Job {
  module: WebAssembly.Module;
  /** The command line, from the verb on. */
  args: string[];
  environment: Record<string, string>;
  /** Files in `memoryFolder`. */
  inputs: { name: string; content: Uint8Array | Blob }[];
}

/** What convert and inspect tell that they do, as the program calls it. Not every conversion does all, and it may do one again. */
export const stages = [
  'reading',
  'passes',
  'weights',
  'reading weights',
  'measuring',
  'calibrating',
  'tuning',
  'checking',
  'fusion',
  'lowering',
  'packing',
  'quantizing',
  'writing',
] as const;

export type Stage = (typeof stages)[number];

export interface Progress {
  stage: Stage;
  done: number;
  /** 0 where the stage begins, or says nothing of its length. */
  count: number;
  /** What `done` and `count` count. */
  unit: 'pieces' | 'bytes';
}

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
  /** What was written to `memoryFolder`. */
  files: { name: string; pieces: Uint8Array[] }[];
  /** What was read from elsewhere. */
  filesRead: string[];
}

/** What differs between a browser, Node and a program in a terminal. */
export interface Host {
  /** Everything but `memoryFolder`. */
  files: Files;
  source(content: Uint8Array | Blob): Source;
  filesRead?: Set<string>;
  progress(progress: Progress): void;
  /** Where they are missing, what is printed is kept for the outcome. */
  stdin?: OpenFile;
  stdout?: OpenFile;
  stderr?: OpenFile;
}

/** Text that is kept. */
class Printed implements OpenFile {
  private readonly pieces: Uint8Array[] = [];
  status() {
    return {
      kind: kinds.unknown,
      device: 0n,
      inode: 0n,
      links: 1n,
      size: 0n,
      modified: 0n,
    };
  }
  read(): number {
    return 0;
  }
  write(bytes: Uint8Array): number {
    this.pieces.push(bytes.slice());
    return bytes.byteLength;
  }
  sync(): void {}
  close(): void {}
  text(): string {
    const decoder = new TextDecoder();
    return this.pieces.map((piece) => decoder.decode(piece, { stream: true })).join('');
  }
}

/** Files where there are none but those in memory. */
export class NoFiles extends MemoryFiles {
  override open(): OpenFile {
    throw new FileError('ENOENT');
  }
}

/** Runs the program to its end. Throws only where it does not end as programs do, and says why. */
export function runJob(job: Job, host: Host): Outcome {
  const memory = new MemoryFiles();
  for (const { name, content } of job.inputs)
    memory.put(name, content instanceof Uint8Array ? sourceOfBytes(content) : host.source(content));
  const stdout = new Printed();
  const stderr = new Printed();
  const wasi = new Wasi({
    args: ['subbyte', ...job.args],
    environment: job.environment,
    files: new MountedFiles(memoryFolder, memory, host.files),
    stdin: host.stdin ?? new Printed(),
    stdout: host.stdout ?? stdout,
    stderr: host.stderr ?? stderr,
  });
  const progress = (
    name: number,
    length: number,
    done: number,
    count: number,
    areBytes: number,
  ) => {
    const stage = wasi.text(name, length) as Stage;
    host.progress({ stage, done, count, unit: areBytes ? 'bytes' : 'pieces' });
  };
  const imports = { wasi_snapshot_preview1: wasi.imports(job.module), subbyte: { progress } };
  try {
    const status = wasi.run(new WebAssembly.Instance(job.module, imports));
    return {
      status,
      stdout: stdout.text(),
      stderr: stderr.text(),
      files: memory.written(),
      filesRead: [...(host.filesRead ?? [])],
    };
  } catch (error) {
    const why = fault(error);
    throw why === undefined ? error : new Error(why, { cause: error });
  }
}

/** Why a run did not end as programs do; undefined of errors that say so themselves. */
export function fault(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { message } = error;
  // RangeError in V8 and JavaScriptCore, InternalError in SpiderMonkey.
  if (/call stack|too much recursion/i.test(message))
    return `the model nests deeper than the stack of this JavaScript engine (${message})`;
  if (error instanceof RangeError)
    return `the model, or what is made of it, needs more memory than there is (${message})`;
  if (error instanceof WebAssembly.RuntimeError)
    return `the program stopped at a fault of its own (${message})`;
  return undefined;
}

/** What goes between the page and the worker. */
export type ToWorker = { job: Job };
export type FromWorker =
  | { progress: Progress }
  | { temporary: string }
  | { folder: string }
  | { outcome: Outcome }
  | { failure: string };
