// Puts a page together: its own files and the shared ones, in one folder that any static host can serve.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const shared = path.dirname(fileURLToPath(import.meta.url));

/** Copies `names` of the folder `from` and what all pages share to `folder`, which is made. */
export async function copyPage(folder, from, names) {
  await mkdir(folder, { recursive: true });
  for (const name of names) await copyFile(path.join(from, name), path.join(folder, name));
  for (const name of ['look.css', 'page.js']) {
    await copyFile(path.join(shared, name), path.join(folder, name));
  }
}

/**
 * Converts a model with the program `subbyte`. What it prints goes to this program's own standard error where `aloud` is
 * set, so that progress is seen; else it is kept, and part of the error where it fails.
 */
export async function convert(subbyte, source, output, precision, aloud = false) {
  const args = ['convert', source, '--precision', precision, '--output', output];
  if (!aloud) {
    await promisify(execFile)(subbyte, args);
    return;
  }
  const program = spawn(subbyte, args, { stdio: ['ignore', process.stderr, process.stderr] });
  const [status, signal] = await once(program, 'exit');
  if (status !== 0) throw new Error(`${source} was not converted (${signal ?? status})`);
}
