// Bundles the runtime into one classic script that defines `subbyte_runtime`: node runtime/build.mjs [OUTPUT]
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../', import.meta.url));
const output = process.argv[2] ?? `${root}build/runtime/runtime.js`;
const result = await build({
  absWorkingDir: root,
  entryPoints: ['runtime/src/main.ts'],
  bundle: true,
  minify: true,
  format: 'iife',
  globalName: 'subbyte_runtime',
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none',
  write: false,
});
// esbuild drops the comments that keep webpack and Vite from resolving the import of what only Node has.
const comments = '/* webpackIgnore: true *//* @vite-ignore */';
const text = result.outputFiles[0].text.replace(/\bimport\((?=\w+\))/g, `import(${comments}`);
if (text.split(comments).length !== 2) throw new Error('the runtime must have one dynamic import');
mkdirSync(dirname(output), { recursive: true });
writeFileSync(output, text);
