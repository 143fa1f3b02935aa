// import subbyte from 'subbyte/rollup'
import * as fs from 'node:fs';
import * as path from 'node:path';

import { convertCached, type Module, type PluginOptions } from './convert_cached.js';
import { parseImport } from './import_query.js';
import { convertedModule, withAddresses } from './module_text.js';

export type { PluginOptions } from './convert_cached.js';

/** What of Rollup's plugin context is used; Rollup itself is no dependency. */
export interface RollupContext {
  resolve(
    source: string,
    importer?: string,
    options?: { skipSelf?: boolean },
  ): Promise<{ id: string; external: boolean | string } | null>;
  addWatchFile(id: string): void;
  emitFile(file: { type: 'asset'; name: string; source: Uint8Array }): string;
}

export interface RollupPlugin {
  name: string;
  resolveId(this: RollupContext, source: string, importer?: string): Promise<string | null>;
  load(this: RollupContext, id: string): Promise<string | null>;
}

/** The path that an import means, its query after it. */
export async function resolveModel(
  context: RollupContext,
  source: string,
  importer?: string,
): Promise<string | null> {
  const model = parseImport(source);
  if (!model) return null;
  const query = source.slice(source.indexOf('?'));
  const found = await context.resolve(model.file, importer, { skipSelf: true });
  if (found && !found.external) return found.id.split('?')[0] + query;
  const folder = importer ? path.dirname(importer.split('?')[0]!) : process.cwd();
  return path.resolve(folder, model.file) + query;
}

/** The module that an id asks for. */
export async function moduleOf(
  context: RollupContext,
  id: string,
  options: PluginOptions,
): Promise<Module | undefined> {
  const model = parseImport(id);
  if (model) {
    context.addWatchFile(model.file);
    const module = await convertCached(model, options);
    for (const file of module.sources) context.addWatchFile(file);
    return module;
  }
  const file = id.split('?')[0]!;
  if (id !== file || !/\.m?js$/.test(file) || !path.isAbsolute(file) || !fs.existsSync(file))
    return undefined;
  return convertedModule(file);
}

/** The module's text, its weights emitted; `emitted` hears of each. */
export async function emitModule(
  context: RollupContext,
  module: Module,
  emitted?: (reference: string) => void,
): Promise<string> {
  return withAddresses(module, async (file) => {
    const source = await fs.promises.readFile(file);
    const reference = context.emitFile({ type: 'asset', name: path.basename(file), source });
    emitted?.(reference);
    // Of Vite an address that begins at the root; of Rollup and others a whole one, which needs no base.
    return `new URL(import.meta.ROLLUP_FILE_URL_${reference}, import.meta.url)`;
  });
}

export default function subbyte(options: PluginOptions = {}): RollupPlugin {
  return {
    name: 'subbyte',
    resolveId(source, importer) {
      return resolveModel(this, source, importer);
    },
    async load(id) {
      const module = await moduleOf(this, id, options);
      return module ? emitModule(this, module) : null;
    },
  };
}
