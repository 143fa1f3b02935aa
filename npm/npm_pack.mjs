// What the scripts that make packages share.
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

/** Runs a command that must succeed. */
export function run(command, args, options = {}) {
  // npm is a script on Windows.
  const shell = process.platform === 'win32';
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', shell, ...options });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ended with status ${status}`);
}

/** Packs the package in the folder `made` into a .tgz of `folder`. */
export function npmPack(made, folder) {
  fs.mkdirSync(folder, { recursive: true });
  run('npm', ['pack', '--silent', '--pack-destination', path.resolve(folder)], { cwd: made });
}
