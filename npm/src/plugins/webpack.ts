// import Subbyte from 'subbyte/webpack'
import { fileURLToPath } from 'node:url';

import type { PluginOptions } from './convert_cached.js';

export type { PluginOptions } from './convert_cached.js';

/** What of webpack's Compiler is used; webpack itself is no dependency. */
export interface WebpackCompiler {
  options: { module: { rules: unknown[] } };
}

/** Modules already converted are carried by webpack itself. */
export default class Subbyte {
  constructor(private readonly options: PluginOptions = {}) {}

  apply(compiler: WebpackCompiler): void {
    compiler.options.module.rules.push({
      resourceQuery: /[?&]subbyte(&|=|$)/,
      type: 'javascript/esm',
      use: [
        {
          loader: fileURLToPath(new URL('./webpack_loader.js', import.meta.url)),
          options: this.options,
        },
      ],
    });
  }
}
