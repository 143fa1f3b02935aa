// Puts the example together in a folder that any static host can serve.
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { convert, copyPage } from '../shared/copy.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const pages = [
  'index.html',
  'search.css',
  'search.js',
  'encoder.js',
  'passages.js',
  'passages.txt',
];

/**
 * Copies the page to `folder`, bundles its tokenizer, and converts the encoder with the program `subbyte` (null: the
 * folder has one already). `models` is the folder of fetched models; `aloud` shows what the program says.
 */
export async function makeSite(folder, { subbyte, models, precision = '4bit', aloud }) {
  await copyPage(folder, here, pages);
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
  if (subbyte === null) return;
  const module = path.join(folder, 'minilm.webgpu.js');
  await convert(subbyte, path.join(models, 'minilm.onnx'), module, precision, aloud);
}
