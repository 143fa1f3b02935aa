// Puts a page together: its own files and the shared ones, in one folder that any static host can serve.
import { execFile } from 'node:child_process';
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

/** Converts a model with the program `subbyte`; returns what it printed. */
export async function convert(subbyte, source, output, precision) {
  const options = ['--precision', precision, '--output', output];
  const { stdout, stderr } = await promisify(execFile)(subbyte, ['convert', source, ...options]);
  return stderr + stdout;
}
