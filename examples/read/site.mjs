// Puts the example together in a folder that any static host can serve.
import { execFile } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = path.dirname(fileURLToPath(import.meta.url));
const pages = ['index.html', 'read.css', 'read.js', 'draw.js', 'recognise.js'];

/**
 * Copies the page to `folder`, and converts the recogniser to float32 and to 8 bits with the program `subbyte`. `models`
 * is the folder of fetched models. Returns what convert printed.
 */
export async function makeSite(folder, { subbyte, models }) {
  await mkdir(folder, { recursive: true });
  for (const name of pages) await copyFile(path.join(here, name), path.join(folder, name));
  await copyFile(path.join(here, '..', 'search', 'style.css'), path.join(folder, 'style.css'));
  await copyFile(path.join(models, 'ppocr-keys.txt'), path.join(folder, 'keys.txt'));
  let printed = '';
  for (const precision of ['float32', '8bit']) {
    const { stdout, stderr } = await promisify(execFile)(subbyte, [
      'convert',
      path.join(models, 'ppocr-rec.onnx'),
      '--precision',
      precision,
      '--output',
      path.join(folder, `read-${precision}.webgpu.js`),
    ]);
    printed += stderr + stdout;
  }
  return printed;
}
