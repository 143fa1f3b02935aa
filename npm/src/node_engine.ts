// Runs the program in a worker thread of Node.
import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

import { type Engine, type Manifest, type RunOptions, SubbyteError } from './api.js';
import { type FromWorker, type Job, type Outcome, type Progress, runJob } from './job.js';
import { Listener } from './listener.js';
import { programPath } from './node_files.js';
import { type NodeJob, nodeHost, states } from './node_host.js';

let compiled: Promise<WebAssembly.Module> | undefined;

function moduleOnce(): Promise<WebAssembly.Module> {
  compiled ??= fs.promises
    .readFile(fileURLToPath(new URL('../subbyte.wasm', import.meta.url)))
    .then((bytes) => WebAssembly.compile(bytes));
  return compiled;
}

export interface Running {
  outcome: Promise<Outcome>;
  /** Ends it, unless files are being put in place already; false where they are. What it had begun to write is removed. */
  end(): Promise<boolean>;
}

/** What a run that does not end leaves on the disk. */
export class Leftovers {
  private readonly files = new Set<string>();
  private readonly folders = new Set<string>();

  note(message: FromWorker): void {
    if ('temporary' in message) this.files.add(message.temporary);
    if ('folder' in message) this.folders.add(message.folder);
  }
  /** Removes the files, and then those of the folders that are empty, the innermost first. */
  remove(): void {
    for (const path of this.files) fs.rmSync(path, { force: true });
    for (const path of [...this.folders].reverse()) {
      try {
        fs.rmdirSync(path);
      } catch {
        // Something else has come into it, or it was never made.
      }
    }
  }
}

export function startWorker(job: NodeJob, onProgress?: (progress: Progress) => void): Running {
  const leftovers = new Leftovers();
  const worker = new Worker(new URL('./node_worker.js', import.meta.url), {
    workerData: job,
    // Graphs that nest deeply take more than the 4 MB of a thread of Node.
    resourceLimits: { stackSizeMb: 32 },
  });
  const outcome = new Promise<Outcome>((resolve, reject) => {
    const listener = new Listener(onProgress);
    const fail = (error: SubbyteError) => reject(listener.reason(error) as Error);
    worker.on('message', (message: FromWorker) => {
      leftovers.note(message);
      try {
        if ('progress' in message) listener.hear(message.progress);
      } catch {
        // As a signal would: else it would be an error that nobody can catch.
        void end();
      }
      if ('outcome' in message && !listener.hasThrown) resolve(message.outcome);
      if ('failure' in message) fail(new SubbyteError('failed', message.failure));
    });
    worker.on('error', (error) => fail(new SubbyteError('failed', String(error))));
    worker.on('exit', (status) =>
      fail(new SubbyteError('failed', `the worker ended with status ${status}`)),
    );
  });
  async function end(): Promise<boolean> {
    const before = Atomics.compareExchange(job.state, 0, states.works, states.ends);
    if (before === states.commits) return false;
    await worker.terminate();
    leftovers.remove();
    return true;
  }
  outcome.catch(() => leftovers.remove());
  return { outcome, end };
}

export async function nodeJob(
  work: Omit<Job, 'module' | 'environment'>,
  inherits: boolean,
): Promise<NodeJob> {
  const folder = programPath(process.cwd());
  const environment: Record<string, string> = { PWD: folder };
  for (const name of ['TERM', 'NO_COLOR', 'COLUMNS']) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  const inputs = await Promise.all(
    work.inputs.map(async ({ name, content }) => ({
      name,
      content: content instanceof Blob ? new Uint8Array(await content.arrayBuffer()) : content,
    })),
  );
  return {
    ...work,
    inputs,
    module: await moduleOnce(),
    environment,
    inherits,
    state: new Int32Array(new SharedArrayBuffer(4)),
  };
}

function aborted(signal: AbortSignal): SubbyteError {
  return new SubbyteError('aborted', 'the conversion was aborted', { cause: signal.reason });
}

function runHere(job: NodeJob, onProgress?: (progress: Progress) => void): Outcome {
  const leftovers = new Leftovers();
  const listener = new Listener(onProgress);
  const host = nodeHost(job, (message) => {
    leftovers.note(message);
    if ('progress' in message) listener.hear(message.progress);
  });
  try {
    return runJob(job, host);
  } catch (error) {
    leftovers.remove();
    throw listener.reason(error);
  }
}

async function run(
  work: Omit<Job, 'module' | 'environment'>,
  options: RunOptions,
): Promise<Outcome> {
  const { signal, onProgress } = options;
  const job = await nodeJob(work, false);
  if (signal?.aborted) throw aborted(signal);
  if (options.worker === false) return runHere(job, onProgress);
  const running = startWorker(job, onProgress);
  if (!signal) return running.outcome;
  return new Promise<Outcome>((resolve, reject) => {
    // Where files are being put in place, the conversion is done: it is told as such.
    const abort = () => void running.end().then((ended) => ended && reject(aborted(signal)));
    signal.addEventListener('abort', abort);
    running.outcome
      .then(resolve, (error: unknown) => reject(signal.aborted ? aborted(signal) : error))
      .finally(() => signal.removeEventListener('abort', abort));
  });
}

export const nodeEngine: Engine = {
  run,
  path: (path) => programPath(path),
  pathOfUrl(url) {
    if (url.protocol === 'file:') return fileURLToPath(url);
    throw new SubbyteError(
      'usage',
      `'${url.href}': no file of this machine; fetch it, and give its bytes`,
    );
  },
  readJson: async (path) => JSON.parse(await fs.promises.readFile(path, 'utf8')) as Manifest,
};
