// A model as a module on the disk, converted once for each content, options and version.
import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';

import { convert, type Manifest, SubbyteError } from '../node.js';
import { withEffort } from '../options.js';
import { argumentsOf, type ModelImport } from './import_query.js';

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
  /** Files beside the model that it was made from too: a build that watches is to watch them. */
  sources: string[];
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

interface Named {
  name: string;
  bytes: number;
}

async function manifestOf(file: string): Promise<{ files: Named[]; module: Named }> {
  const text = await fs.promises.readFile(file.replace(/\.m?js$/, '.json'), 'utf8');
  return JSON.parse(text) as Manifest & { files: Named[]; module: Named };
}

/** The files of weights of a module, by its manifest; of one that carries them none of these is there. */
export async function weightsOf(file: string): Promise<string[]> {
  return (await manifestOf(file)).files.map(({ name }) => name);
}

/** Files beside the model whose content is not in its hash: those of its weights. */
interface Record {
  data: { name: string; sha256: string }[];
}

/** Whether the module of an entry, and the weights that lie beside it, are as long as they were written. */
async function isWhole(module: string): Promise<boolean> {
  const manifest = await manifestOf(module);
  const beside = manifest.files.filter(({ name }) => name.endsWith('.bin'));
  const sizes = [manifest.module, ...beside].map(async ({ name, bytes }) => {
    const { size } = await fs.promises.stat(path.join(path.dirname(module), name));
    return size === bytes;
  });
  return (await Promise.all(sizes)).every((same) => same);
}

/** The files that were read beside the model when the entry was made; undefined where one has changed, or the entry is damaged. */
async function sourcesOf(entry: string, folder: string): Promise<string[] | undefined> {
  try {
    const text = await fs.promises.readFile(path.join(entry, 'data.json'), 'utf8');
    const { data } = JSON.parse(text) as Record;
    if (!(await isWhole(path.join(entry, moduleName)))) return undefined;
    const sources = data.map(({ name }) => path.join(folder, name));
    const hashes = await Promise.all(sources.map(hashOf));
    return data.every(({ sha256 }, index) => sha256 === hashes[index]) ? sources : undefined;
  } catch {
    // Something is missing.
    return undefined;
  }
}

/** What was read beside the model. */
async function convertInto(
  entry: string,
  model: ModelImport,
  log: (text: string) => void,
): Promise<string[]> {
  const { file } = model;
  const made = `${entry}.${randomUUID()}.tmp`;
  await fs.promises.mkdir(made, { recursive: true });
  try {
    const { summary, warnings, filesRead } = await convert(file, {
      output: path.join(made, moduleName),
      args: argumentsOf(model),
    });
    for (const warning of warnings) log(`${file}: warning: ${warning}`);
    log(`${file}: ${summary.slice(summary.indexOf(': ') + 2)}`);
    const folder = path.dirname(file);
    const sources = filesRead.filter((name) => path.resolve(name) !== path.resolve(file));
    const data = await Promise.all(
      sources.map(async (name) => ({
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
    return sources.map((name) => path.resolve(name));
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
  const sources =
    (await sourcesOf(entry, path.dirname(file))) ?? (await convertInto(entry, model, log));
  const module = path.join(entry, moduleName);
  return { file: module, weights: await weightsOf(module), sources };
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
