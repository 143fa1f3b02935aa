// What a conversion made of a model's size, as its manifest has it.
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;

/** The manifest of `name`.webgpu.js in a folder. */
export async function manifestOf(folder, name) {
  return JSON.parse(await readFile(path.join(folder, `${name}.webgpu.json`), 'utf8'));
}

export function tellBefore({ source }) {
  console.log(`  before   ${megabytes(source.bytes)}  ${source.name}`);
}

export function tellAfter({ totals, source, precision }) {
  const smaller = source.bytes / totals.bytes;
  console.log(
    `  after    ${megabytes(totals.bytes)}  ${precision}, ${totals.bits_per_weight.toFixed(2)} bits a weight, ` +
      `scales and zero points counted: ${smaller.toFixed(1)} times smaller`,
  );
}

/** The files of `name`.webgpu.js in a folder, with their sizes. */
export async function tellFiles(folder, name, manifest) {
  const weights = new Set(manifest.files.map((file) => file.name));
  for (const file of (await readdir(folder)).sort()) {
    if (!file.startsWith(`${name}.webgpu.`) && !weights.has(file)) continue;
    const { size } = await stat(path.join(folder, file));
    console.log(`  ${String(size).padStart(10)} bytes  ${file}`);
  }
}
