// subbyte in a browser.
import {
  type ConvertResult,
  type ConvertRunOptions,
  convertWith,
  type Engine,
  type FixedOptions,
  type Inspection,
  inspectWith,
  type ModelSource,
  type RunOptions,
  SubbyteError,
} from './api.js';
import { browserHost } from './browser_host.js';
import { Listener } from './listener.js';
import { type FromWorker, type Job, type Outcome, runJob } from './job.js';

export * from './api.js';

let compiled: Promise<WebAssembly.Module> | undefined;

async function fetchModule(): Promise<WebAssembly.Module> {
  const url = new URL('../subbyte.wasm', import.meta.url);
  const response = await fetch(url);
  if (!response.ok)
    throw new SubbyteError('failed', `${url.href}: the compiler did not load (${response.status})`);
  // Not every server knows the type that compileStreaming asks for.
  return WebAssembly.compile(await response.arrayBuffer());
}

function moduleOnce(): Promise<WebAssembly.Module> {
  compiled ??= fetchModule().catch((error: unknown) => {
    compiled = undefined;
    throw error;
  });
  return compiled;
}

function aborted(signal: AbortSignal): SubbyteError {
  return new SubbyteError('aborted', 'the conversion was aborted', { cause: signal.reason });
}

function runInWorker(job: Job, options: RunOptions): Promise<Outcome> {
  const worker = new Worker(new URL('./browser_worker.js', import.meta.url), { type: 'module' });
  const { signal, onProgress } = options;
  let abort = () => {};
  return new Promise<Outcome>((resolve, reject) => {
    abort = () => reject(aborted(signal!));
    signal?.addEventListener('abort', abort);
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      try {
        if ('progress' in data) onProgress?.(data.progress);
      } catch (error) {
        // Else it would be an error that nobody can catch.
        reject(error as Error);
      }
      if ('outcome' in data) resolve(data.outcome);
      if ('failure' in data) reject(new SubbyteError('failed', data.failure));
    };
    worker.onerror = (event) =>
      reject(new SubbyteError('failed', `the worker did not run: ${event.message}`));
    worker.postMessage({ job });
  }).finally(() => {
    worker.terminate();
    signal?.removeEventListener('abort', abort);
  });
}

async function run(
  work: Omit<Job, 'module' | 'environment'>,
  options: RunOptions,
): Promise<Outcome> {
  const module = await moduleOnce();
  if (options.signal?.aborted) throw aborted(options.signal);
  const job = { ...work, module, environment: {} };
  if (options.worker !== false) return runInWorker(job, options);
  const inputs = await Promise.all(
    job.inputs.map(async ({ name, content }) => ({
      name,
      content: content instanceof Blob ? new Uint8Array(await content.arrayBuffer()) : content,
    })),
  );
  const listener = new Listener(options.onProgress);
  try {
    return runJob(
      { ...job, inputs },
      browserHost((progress) => listener.hear(progress)),
    );
  } catch (error) {
    throw listener.reason(error);
  }
}

// Who waits for a page would rather have it sooner.
const engine: Engine = { run, effort: 'fast' };

/** Converts a model; nothing leaves the machine. Rejects with SubbyteError. */
export function convert(
  source: ModelSource,
  options: ConvertRunOptions = {},
): Promise<ConvertResult> {
  return convertWith(engine, source, options);
}

/** What is in a model, and what is not supported. */
export function inspect(
  source: ModelSource,
  options: FixedOptions & RunOptions = {},
): Promise<Inspection> {
  return inspectWith(engine, source, options);
}
