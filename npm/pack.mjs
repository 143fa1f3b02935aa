// node npm/pack.mjs WASM FOLDER: compiles the package's TypeScript, puts the package together in build/npm, and packs it.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { npmPack, run } from './npm_pack.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(here);
const [wasm, folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node npm/pack.mjs WASM FOLDER');
const made = path.join(root, 'build', 'npm');

fs.rmSync(made, { recursive: true, force: true });
fs.mkdirSync(made, { recursive: true });
const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
run(process.execPath, [
  tsc,
  '-p',
  path.join(here, 'tsconfig.json'),
  '--outDir',
  path.join(made, 'lib'),
]);
for (const name of ['package.json', 'client.d.ts', 'README.md'])
  fs.copyFileSync(path.join(here, name), path.join(made, name));
fs.copyFileSync(path.join(root, 'LICENSE'), path.join(made, 'LICENSE'));
// The types of every module, and below them those of a module whose model is not known.
const types = fs.readFileSync(path.join(root, 'runtime', 'module.d.ts'), 'utf8');
const part = fs.readFileSync(path.join(here, 'any_module.d.ts.txt'), 'utf8');
fs.writeFileSync(path.join(made, 'module.d.ts'), types + part);
fs.copyFileSync(wasm, path.join(made, 'subbyte.wasm'));
const bytes = fs.readFileSync(wasm);
const zipped = gzipSync(bytes, { level: 9 }).byteLength;
process.stdout.write(`subbyte.wasm: ${bytes.byteLength} bytes, ${zipped} gzipped\n`);
const most = 1_250_000;
if (zipped > most) throw new Error(`subbyte.wasm: ${zipped} bytes gzipped are more than ${most}`);
npmPack(made, folder);
