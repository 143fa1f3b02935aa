// Modules that subbyte wrote, as bundlers take them in.
import * as fs from 'node:fs';
import * as path from 'node:path';

import { type Module, weightsOf } from './convert_cached.js';

const moduleMark = '// Made by subbyte ';

/** The module that a file is; undefined where subbyte did not write it, or its manifest is not beside it. */
export async function convertedModule(file: string): Promise<Module | undefined> {
  const handle = await fs.promises.open(file);
  try {
    const start = Buffer.alloc(moduleMark.length);
    await handle.read(start, 0, start.length, 0);
    if (start.toString('latin1') !== moduleMark) return undefined;
  } finally {
    await handle.close();
  }
  if (!fs.existsSync(file.replace(/\.m?js$/, '.json')))
    throw new Error(
      `${file}: its manifest, ${path.basename(file).replace(/\.m?js$/, '.json')}, is not beside ` +
        'it; it names the weights that go with the module',
    );
  return { file, weights: await weightsOf(file), sources: [] };
}

const written = /new URL\('\.\/([^']+)', import\.meta\.url\)/g;

/** The module's text with the address of each file of weights as `address` gives it: the expression of a URL. */
export async function withAddresses(
  module: Module,
  address: (file: string) => string | Promise<string>,
): Promise<string> {
  const text = await fs.promises.readFile(module.file, 'utf8');
  const expressions = new Map<string, string>();
  for (const [all, name] of text.matchAll(written)) {
    const file = decodeURIComponent(name!);
    if (expressions.has(all) || !module.weights.includes(file)) continue;
    expressions.set(all, await address(path.join(path.dirname(module.file), file)));
  }
  return text.replace(written, (all) => expressions.get(all) ?? all);
}
