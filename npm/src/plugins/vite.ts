// import subbyte from 'subbyte/vite'
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';

import type { PluginOptions } from './convert_cached.js';
import { parseImport } from './import_query.js';
import { withAddresses } from './module_text.js';
import { emitModule, moduleOf, resolveModel, type RollupContext } from './rollup.js';

export type { PluginOptions } from './convert_cached.js';

interface ViteConfig {
  command: 'build' | 'serve';
  base: string;
  server: { fs: { allow: string[] } };
}

export interface VitePlugin {
  name: string;
  enforce: 'pre';
  config(): { optimizeDeps: { exclude: string[] } };
  configResolved(config: ViteConfig): void;
  resolveId(this: RollupContext, source: string, importer?: string): Promise<string | null>;
  load(this: RollupContext, id: string, options?: { ssr?: boolean }): Promise<string | null>;
  resolveFileUrl(file: { referenceId: string; relativePath: string }): string | null;
}

/** "/@fs/...", from which Vite's server gives a file of the project. */
function served(file: string, base: string): string {
  const slashes = file.replaceAll('\\', '/');
  const escaped = encodeURI(slashes).replace(/[?#]/g, encodeURIComponent);
  return `${base}@fs${escaped.startsWith('/') ? '' : '/'}${escaped}`;
}

export default function subbyte(options: PluginOptions = {}): VitePlugin {
  let serves = false;
  let base = '/';
  let allowed: string[] = [];
  const onServer = new Set<string>();
  return {
    name: 'subbyte',
    // Before Vite's own, which would take the model for an asset.
    enforce: 'pre',
    // The compiler finds its worker and its WebAssembly beside itself.
    config: () => ({ optimizeDeps: { exclude: ['subbyte'] } }),
    configResolved(config) {
      serves = config.command === 'serve';
      allowed = config.server.fs.allow;
      base = config.base.endsWith('/') ? config.base : config.base + '/';
    },
    resolveId(source, importer) {
      return resolveModel(this, source, importer);
    },
    async load(id, { ssr } = {}) {
      // Modules already converted are carried by Vite itself.
      if (!parseImport(id)) return null;
      const module = await moduleOf(this, id, options);
      if (!module) return null;
      if (!serves)
        return emitModule(this, module, (reference) => void (ssr && onServer.add(reference)));
      // Of a model, or a cache, outside of the folders that Vite serves from.
      const folder = path.dirname(module.file);
      if (!allowed.includes(folder)) allowed.push(folder);
      return withAddresses(module, (file) =>
        ssr
          ? `new URL(${JSON.stringify(pathToFileURL(file).href)})`
          : // Not in the form that Vite takes for a file beside this one.
            `new URL(${JSON.stringify(served(file, base))}, new URL(import.meta.url))`,
      );
    },
    // A server has no base: what it loads lies beside it, where `build.ssrEmitAssets` puts it.
    resolveFileUrl: ({ referenceId, relativePath }) =>
      onServer.has(referenceId)
        ? `new URL(${JSON.stringify(relativePath)}, import.meta.url).href`
        : null,
  };
}
