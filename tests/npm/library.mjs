// The npm package's JavaScript, compiled from npm/src into build/npm-test.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, copyFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const made = join(root, 'build', 'npm-test');
/** TypeScript's. */
export const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

let compiled = false;

function compile() {
  mkdirSync(made, { recursive: true });
  execFileSync(
    process.execPath,
    [compiler, '-p', join(root, 'npm', 'tsconfig.json'), '--outDir', join(made, 'lib')],
    { stdio: 'inherit' },
  );
  copyFileSync(join(root, 'npm', 'package.json'), join(made, 'package.json'));
  if (!existsSync(join(made, 'lib', 'node.js'))) throw new Error('nothing was compiled');
}

/** A file of npm/src, as a module. */
export function library(name) {
  if (!compiled) compile();
  compiled = true;
  return import(pathToFileURL(join(made, 'lib', name)).href);
}
