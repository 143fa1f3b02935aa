// What Node gives the program: the disk, and a terminal where it is one of its own.
import * as tty from 'node:tty';

import type { FromWorker, Host, Job } from './job.js';
import { NodeFiles, NodeOpenFile } from './node_files.js';

export interface NodeJob extends Job {
  /** The program has the process's own stdin, stdout and stderr. */
  inherits: boolean;
  /** One number: what the program may still do, `states`. */
  state: Int32Array;
}

/**
 * Whether files are put in place. The program sets `commits` before the first, and whoever wants it to end sets `ends`:
 * the first of the two decides.
 */
export const states = { works: 0, commits: 1, ends: 2 } as const;

function terminal(number: 0 | 1 | 2): NodeOpenFile {
  return new NodeOpenFile(number, true, tty.isatty(number));
}

export function nodeHost(job: NodeJob, tell: (message: FromWorker) => void): Host {
  const filesRead = new Set<string>();
  const files = new NodeFiles({
    read: (path) => void filesRead.add(path),
    temporary: (path) => tell({ temporary: path }),
    folder: (path) => tell({ folder: path }),
    commit() {
      const before = Atomics.compareExchange(job.state, 0, states.works, states.commits);
      // The thread is about to be ended.
      if (before === states.ends) Atomics.wait(job.state, 0, states.ends);
    },
  });
  const host: Host = {
    files,
    filesRead,
    source() {
      throw new Error('a Blob must be read before the program starts');
    },
    progress: (progress) => tell({ progress }),
  };
  if (!job.inherits) return host;
  return { ...host, stdin: terminal(0), stdout: terminal(1), stderr: terminal(2) };
}
