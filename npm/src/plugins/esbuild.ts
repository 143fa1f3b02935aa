// import subbyte from 'subbyte/esbuild'
import * as fs from 'node:fs';
import * as path from 'node:path';

import { convertCached, type Module, type PluginOptions } from './convert_cached.js';
import { parseImport } from './import_query.js';
import { convertedModule, withAddresses } from './module_text.js';

export type { PluginOptions } from './convert_cached.js';

interface Loaded {
  contents?: string | Uint8Array;
  loader?: 'js' | 'file';
  resolveDir?: string;
  watchFiles?: string[];
  errors?: { text: string }[];
}

/** What of esbuild's PluginBuild is used; esbuild itself is no dependency. */
export interface EsbuildBuild {
  onResolve(
    options: { filter: RegExp },
    callback: (args: {
      path: string;
      resolveDir: string;
    }) => { path: string; namespace?: string; pluginData?: unknown } | undefined,
  ): void;
  onLoad(
    options: { filter: RegExp; namespace?: string },
    callback: (args: { path: string }) => Promise<Loaded | undefined>,
  ): void;
}

export interface EsbuildPlugin {
  name: string;
  setup(build: EsbuildBuild): void;
}

const weights = 'subbyte-weights';

/** esbuild leaves `new URL` as it stands; what it carries is what is imported. */
async function contentsOf(module: Module): Promise<string> {
  const imports: string[] = [];
  const text = await withAddresses(module, (file) => {
    const name = `subbyte_weights_${imports.length}`;
    imports.push(`import ${name} from ${JSON.stringify(weights + ':' + file)};\n`);
    return `new URL(${name}, import.meta.url)`;
  });
  return imports.join('') + text;
}

async function loaded(module: Module, watchFiles: string[]): Promise<Loaded> {
  return {
    contents: await contentsOf(module),
    loader: 'js',
    resolveDir: path.dirname(module.file),
    watchFiles,
  };
}

export default function subbyte(options: PluginOptions = {}): EsbuildPlugin {
  return {
    name: 'subbyte',
    setup(build) {
      build.onResolve({ filter: /[?&]subbyte(&|=|$)/ }, ({ path: id, resolveDir }) => {
        const [file, query] = id.split('?') as [string, string];
        return { path: `${path.resolve(resolveDir, file)}?${query}`, namespace: 'subbyte' };
      });
      build.onLoad({ filter: /.*/, namespace: 'subbyte' }, async ({ path: id }) => {
        try {
          const model = parseImport(id)!;
          return await loaded(await convertCached(model, options), [model.file]);
        } catch (error) {
          return { errors: [{ text: (error as Error).message }] };
        }
      });
      build.onResolve({ filter: /^subbyte-weights:/ }, ({ path: id }) => ({
        path: id.slice(weights.length + 1),
        namespace: weights,
      }));
      build.onLoad({ filter: /.*/, namespace: weights }, async ({ path: file }) => ({
        contents: await fs.promises.readFile(file),
        loader: 'file',
      }));
      build.onLoad({ filter: /\.webgpu\.m?js$/ }, async ({ path: file }) => {
        const module = await convertedModule(file);
        return module && loaded(module, [file]);
      });
    },
  };
}
