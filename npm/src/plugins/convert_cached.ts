// A model as a module on the disk, converted once for each content, options and version.
import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';

import { convert, type Manifest, SubbyteError } from '../node.js';
import { withEffort } from '../options.js';
import type { ModelImport } from './import_query.js';

export interface PluginOptions {
  /** Where converted modules are kept; by default node_modules/.cache/subbyte of the nearest package. */
  cacheFolder?: string;
  /** Hears of each conversion; by default a line on stderr. */
  log?: (message: string) => void;
}

/** A module on the disk, and the files of weights that it loads, which lie beside it. */
export interface Module {
  file: string;
  weights: string[];
}

const moduleName = 'model.webgpu.js';

const version = (
  JSON.parse(fs.readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  }
).version;

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of fs.createReadStream(file)) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** "node_modules/.cache/subbyte" beside the package.json above a file. */
export function defaultCacheFolder(file: string): string {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    if (fs.existsSync(path.join(folder, 'package.json')))
      return path.join(folder, 'node_modules', '.cache', 'subbyte');
    if (path.dirname(folder) === folder) return path.join(path.dirname(file), '.subbyte-cache');
  }
}

/** The files of weights of a module, by its manifest. */
export async function weightsOf(file: string): Promise<string[]> {
  const text = await fs.promises.readFile(file.replace(/\.m?js$/, '.json'), 'utf8');
  const manifest = JSON.parse(text) as Manifest & { files: { name: string }[] };
  return manifest.files.map(({ name }) => name);
}

/** Files beside the model whose content is not in its hash: those of its weights. */
interface Record {
  data: { name: string; sha256: string }[];
}

async function isCurrent(entry: string, folder: string): Promise<boolean> {
  let record: Record;
  try {
    const text = await fs.promises.readFile(path.join(entry, 'data.json'), 'utf8');
    record = JSON.parse(text) as Record;
  } catch {
    return false;
  }
  for (const { name, sha256 } of record.data) {
    const file = path.join(folder, name);
    if (!fs.existsSync(file) || (await hashOf(file)) !== sha256) return false;
  }
  return true;
}

async function convertInto(entry: string, model: ModelImport, log: (text: string) => void) {
  const { file, args } = model;
  const made = `${entry}.${randomUUID()}.tmp`;
  await fs.promises.mkdir(made, { recursive: true });
  try {
    const { summary, warnings, filesRead } = await convert(file, {
      output: path.join(made, moduleName),
      args,
    });
    for (const warning of warnings) log(`${file}: warning: ${warning}`);
    log(`${file}: ${summary.slice(summary.indexOf(': ') + 2)}`);
    const folder = path.dirname(file);
    const data = await Promise.all(
      filesRead
        .filter((name) => path.resolve(name) !== path.resolve(file))
        .map(async (name) => ({
          name: path.relative(folder, name),
          sha256: await hashOf(name),
        })),
    );
    await fs.promises.writeFile(path.join(made, 'data.json'), JSON.stringify({ data }));
    await fs.promises.rm(entry, { recursive: true, force: true });
    await fs.promises.rename(made, entry).catch((error: unknown) => {
      // Another process was quicker, with the same result.
      if (!fs.existsSync(path.join(entry, moduleName))) throw error;
    });
  } catch (error) {
    if (error instanceof SubbyteError) throw new Error(error.message, { cause: error });
    throw error;
  } finally {
    await fs.promises.rm(made, { recursive: true, force: true });
  }
}

const running = new Map<string, Promise<Module>>();

async function find(model: ModelImport, options: PluginOptions): Promise<Module> {
  const { file, args } = model;
  if (!fs.existsSync(file)) throw new Error(`${file}: there is no such model`);
  const key = createHash('sha256')
    .update(JSON.stringify([version, await hashOf(file), args]))
    .digest('hex')
    .slice(0, 24);
  const entry = path.join(options.cacheFolder ?? defaultCacheFolder(file), key);
  const log = options.log ?? ((text: string) => process.stderr.write(`subbyte: ${text}\n`));
  if (!(await isCurrent(entry, path.dirname(file)))) await convertInto(entry, model, log);
  const module = path.join(entry, moduleName);
  return { file: module, weights: await weightsOf(module) };
}

/** The module of a model; the same conversion runs once at a time. A build does not wait for more effort than is asked for. */
export function convertCached(model: ModelImport, options: PluginOptions): Promise<Module> {
  const asked = { file: model.file, args: withEffort(model.args, 'fast') };
  const key = JSON.stringify([asked, options.cacheFolder]);
  let found = running.get(key);
  if (!found) {
    found = find(asked, options).finally(() => running.delete(key));
    running.set(key, found);
  }
  return found;
}
