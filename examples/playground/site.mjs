// Puts the playground together in a folder that any static host can serve.
import { copyFile, cp } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { copyPage } from '../shared/copy.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const pages = [
  'index.html',
  'playground.css',
  'playground.js',
  'compiler.js',
  'model_view.js',
  'result_view.js',
  'run_view.js',
  'stages.js',
  'values.js',
];

/**
 * Copies the page to `folder`, with the npm package in the folder `npm`, as `./dev pack` puts it together, and the model
 * `sample`.
 */
export async function makeSite(folder, { npm, sample }) {
  await copyPage(folder, here, pages);
  await cp(npm, path.join(folder, 'subbyte'), { recursive: true });
  await copyFile(sample, path.join(folder, 'sample.onnx'));
  await build({
    entryPoints: [path.join(here, 'tokenizers.js')],
    outfile: path.join(folder, 'tokenizers.js'),
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    logLevel: 'warning',
  });
}
