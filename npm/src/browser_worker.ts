// The worker of a page.
import { type FromWorker, runJob, type ToWorker } from './job.js';
import { browserHost } from './browser_host.js';

declare const self: {
  onmessage: ((event: { data: ToWorker }) => void) | null;
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
};

self.onmessage = ({ data }) => {
  try {
    const outcome = runJob(
      data.job,
      browserHost((progress) => self.postMessage({ progress })),
    );
    const buffers = outcome.files.flatMap(({ pieces }) => pieces.map((piece) => piece.buffer));
    self.postMessage({ outcome }, buffers as ArrayBuffer[]);
  } catch (error) {
    self.postMessage({ failure: error instanceof Error ? error.message : String(error) });
  }
};
