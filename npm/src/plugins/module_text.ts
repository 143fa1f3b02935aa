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
  return { file, weights: await weightsOf(file) };
}

/** The module's text with the address of each file of weights as `address` gives it: the expression of a URL. */
export async function withAddresses(
  module: Module,
  address: (file: string) => string | Promise<string>,
): Promise<string> {
  let text = await fs.promises.readFile(module.file, 'utf8');
  for (const name of module.weights) {
    const written = `new URL('./${encodeURIComponent(name)}', import.meta.url)`;
    if (!text.includes(written)) continue;
    const expression = await address(path.join(path.dirname(module.file), name));
    text = text.replaceAll(written, () => expression);
  }
  return text;
}
