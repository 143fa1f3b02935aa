// The worker thread of Node.
import { parentPort, workerData } from 'node:worker_threads';

import { runJob } from './job.js';
import { type NodeJob, nodeHost } from './node_host.js';

const job = workerData as NodeJob;
try {
  const outcome = runJob(
    job,
    nodeHost(job, (message) => parentPort!.postMessage(message)),
  );
  const buffers = outcome.files.flatMap(({ pieces }) => pieces.map((piece) => piece.buffer));
  parentPort!.postMessage({ outcome }, buffers as ArrayBuffer[]);
} catch (error) {
  parentPort!.postMessage({ failure: error instanceof Error ? error.message : String(error) });
}
