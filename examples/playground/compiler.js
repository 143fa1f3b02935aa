// The compiler in a worker. One job at a time; ending the worker is how a job is cancelled.

/** What a cancelled job rejects with. */
export class Cancelled extends Error {}

let worker = null;
let current = null;

function start() {
  worker = new Worker(new URL('worker.js', document.baseURI), { type: 'module' });
  worker.onmessage = ({ data }) => {
    if (data.kind === 'progress') return current?.onProgress(data);
    const { resolve, reject } = current;
    current = null;
    if (data.kind === 'done') resolve(data.result);
    else reject(new Error(data.message));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    worker.terminate();
    worker = null;
    current?.reject(new Error(`The compiler stopped: ${event.message ?? 'it did not start'}.`));
    current = null;
  };
}

/**
 * Runs `inspect` or `convert` (see worker.js) on files: the model, and the external data that it names. `onProgress` gets
 * { share, text }. Rejects with the compiler's own message.
 */
export function compile(verb, { files, options = {}, onProgress = () => {} }) {
  if (current) throw new Error('The compiler is at work already.');
  if (!worker) start();
  return new Promise((resolve, reject) => {
    current = { resolve, reject, onProgress };
    worker.postMessage({ verb, files, options });
  });
}

/** Ends the job that runs, if any. */
export function cancel() {
  if (!current) return;
  worker.terminate();
  worker = null;
  current.reject(new Cancelled('Cancelled.'));
  current = null;
}
