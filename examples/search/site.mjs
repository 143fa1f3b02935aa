// Puts the example together in a folder that any static host can serve.
import { execFile } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const here = path.dirname(fileURLToPath(import.meta.url));

/**
 * Copies the page to `folder`, bundles its tokenizer, and converts the encoder with the program `subbyte` (null: the
 * folder has one already). `models` is the folder of fetched models. Returns what convert printed.
 */
export async function makeSite(folder, { subbyte, models, precision = '4bit' }) {
  await mkdir(folder, { recursive: true });
  for (const name of ['index.html', 'style.css', 'search.js', 'encoder.js', 'passages.txt']) {
    await copyFile(path.join(here, name), path.join(folder, name));
  }
  await copyFile(path.join(models, 'bert-vocab.json'), path.join(folder, 'vocabulary.json'));
  await build({
    entryPoints: [path.join(here, 'tokenizer.js')],
    outfile: path.join(folder, 'tokenizer.js'),
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    logLevel: 'warning',
  });
  if (subbyte === null) return '';
  const { stdout, stderr } = await promisify(execFile)(subbyte, [
    'convert',
    path.join(models, 'minilm.onnx'),
    '--precision',
    precision,
    '--output',
    path.join(folder, 'minilm.webgpu.js'),
  ]);
  return stderr + stdout;
}
