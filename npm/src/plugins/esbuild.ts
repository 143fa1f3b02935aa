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

interface Wanted {
  path: string;
  importer: string;
  namespace: string;
  resolveDir: string;
  kind: string;
}

/** What of esbuild's PluginBuild is used; esbuild itself is no dependency. */
export interface EsbuildBuild {
  resolve(
    path: string,
    options: { importer: string; namespace: string; resolveDir: string; kind: any },
  ): Promise<{ path: string; errors: unknown[]; external: boolean }>;
  onResolve(
    options: { filter: RegExp },
    callback: (args: Wanted) => Promise<{ path: string; namespace?: string; pluginData?: unknown }>,
  ): void;
  onLoad(
    options: { filter: RegExp; namespace?: string },
    callback: (args: { path: string; pluginData: unknown }) => Promise<Loaded | undefined>,
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

async function loaded(module: Module, watched: string): Promise<Loaded> {
  return {
    contents: await contentsOf(module),
    loader: 'js',
    resolveDir: path.dirname(module.file),
    watchFiles: [watched, ...module.sources],
  };
}

/** The file that an import means: a path, or what esbuild finds by the names of packages and by aliases. */
async function modelFile(build: EsbuildBuild, id: string, wanted: Wanted): Promise<string> {
  const { importer, namespace, resolveDir, kind } = wanted;
  const found = await build.resolve(id, { importer, namespace, resolveDir, kind });
  return found.errors.length > 0 || found.external ? path.resolve(resolveDir, id) : found.path;
}

export default function subbyte(options: PluginOptions = {}): EsbuildPlugin {
  return {
    name: 'subbyte',
    setup(build) {
      build.onResolve({ filter: /[?&]subbyte(&|=|$)/ }, async (wanted) => {
        const [id, query] = wanted.path.split('?') as [string, string];
        return { path: `${await modelFile(build, id, wanted)}?${query}`, namespace: 'subbyte' };
      });
      build.onLoad({ filter: /.*/, namespace: 'subbyte' }, async ({ path: id }) => {
        const file = id.slice(0, id.indexOf('?'));
        try {
          return await loaded(await convertCached(parseImport(id)!, options), file);
        } catch (error) {
          // Watched, so that a model which is mended is built.
          return { errors: [{ text: (error as Error).message }], watchFiles: [file] };
        }
      });
      build.onResolve({ filter: /^subbyte-weights:/ }, async ({ path: id }) => {
        const file = id.slice(weights.length + 1);
        // esbuild names what it writes after it, and writes that name into an address as it is.
        const name = path.basename(file).replace(/[%#?]/g, '_');
        return {
          path: path.join(path.dirname(file), name),
          namespace: weights,
          pluginData: file,
        };
      });
      build.onLoad({ filter: /.*/, namespace: weights }, async ({ pluginData }) => ({
        contents: await fs.promises.readFile(pluginData as string),
        loader: 'file',
      }));
      build.onLoad({ filter: /\.m?js$/, namespace: 'file' }, async ({ path: file }) => {
        const module = await convertedModule(file);
        return module && loaded(module, file);
      });
    },
  };
}
