// The compiler, from the npm package: it runs in a worker. One job at a time; a job that is cancelled ends its worker.
import { progressOf } from './stages.js';
import { convert, inspect } from './subbyte/lib/browser.js';

let current = null;

/**
 * Runs `inspect` or `convert` on files: the model, and those that it keeps its weights in. `onProgress` gets what
 * `progressOf` makes. Resolves to what the package's function does. Rejects with the compiler's own message, or with a DOMException
 * named AbortError where the job was cancelled.
 */
export async function compile(verb, { files, options = {}, onProgress = () => {} }) {
  cancel();
  const job = new AbortController();
  current = job;
  const [model, ...others] = files;
  try {
    return await { convert, inspect }[verb](model, {
      ...options,
      data: Object.fromEntries(others.map((file) => [file.name, file])),
      signal: job.signal,
      onProgress: (told) => onProgress(progressOf(told)),
    });
  } catch (error) {
    job.signal.throwIfAborted();
    throw error;
  } finally {
    if (current === job) current = null;
  }
}

/** Ends the job that runs, if any. */
export function cancel() {
  current?.abort();
  current = null;
}
