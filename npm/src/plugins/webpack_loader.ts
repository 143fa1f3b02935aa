// What the plugin for webpack has models loaded by.
import { convertCached, type PluginOptions } from './convert_cached.js';
import { parseImport } from './import_query.js';
import { withAddresses } from './module_text.js';

interface LoaderContext {
  resourcePath: string;
  resourceQuery: string;
  getOptions(): PluginOptions;
  addDependency(file: string): void;
  async(): (error: Error | null, text?: string) => void;
}

/** The model's bytes stay bytes. */
export const raw = true;

export default function loader(this: LoaderContext): void {
  const done = this.async();
  const model = parseImport(this.resourcePath + this.resourceQuery)!;
  convertCached(model, this.getOptions())
    .then((module) => {
      for (const file of module.sources) this.addDependency(file);
      // webpack finds an absolute path where it is written out.
      return withAddresses(module, (file) => `new URL(${JSON.stringify(file)}, import.meta.url)`);
    })
    .then(
      (text) => done(null, text),
      (error: unknown) => done(error as Error),
    );
}
