import { keptFile, type Kept } from './cache.js';
import { typeName } from './dtype.js';
import { SubbyteError, isObject, messageOf, quoted, throwIfAborted } from './errors.js';
import { external, inNode } from './node.js';
import type { PlanFile } from './plan.js';
import type { LoadOptions, ReadWeights, WeightSource } from './types.js';

/** Where the bytes of one file come from: any range at any time, or one stream from the start. */
export type Source =
  | {
      kind: 'ranges';
      /** Bytes in all, where known. */
      size?: number;
      read(offset: number, bytes: number, signal: AbortSignal): Promise<Uint8Array>;
      close?(): Promise<void>;
    }
  | {
      kind: 'stream';
      body: ReadableStream<Uint8Array>;
      /** What to add to an error: a page of HTML in place of weights is a frequent one. */
      note: string;
      /** To be called at the end, with whether the file was whole. */
      close?(whole: boolean): Promise<unknown>;
      /** Of a copy that was kept: where the file itself comes from. */
      again?(): Promise<Source>;
    };

function asBytes(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  const name = typeName(value);
  return name === 'ArrayBuffer' || name === 'SharedArrayBuffer'
    ? new Uint8Array(value as ArrayBuffer)
    : undefined;
}

function fromBytes(bytes: Uint8Array): Source {
  return {
    kind: 'ranges',
    size: bytes.byteLength,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  };
}

function fromBlob(blob: Blob): Source {
  return {
    kind: 'ranges',
    size: blob.size,
    read: async (offset, length) =>
      new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  };
}

function fromFunction(file: PlanFile, read: ReadWeights): Source {
  return {
    kind: 'ranges',
    read: async (offset, length, signal) => {
      const bytes = asBytes(await read(file.name, offset, length, signal));
      if (!bytes) {
        throw new SubbyteError(
          'bad-option',
          `load({ weights }): the function must return an ArrayBuffer of the ${length} bytes from ${offset} of ${quoted(file.name)}`,
        );
      }
      return bytes;
    },
  };
}

/** Weights in the module itself: any range of base64 can be decoded alone. */
function fromBase64(text: string): Source {
  return {
    kind: 'ranges',
    read: async (offset, length) => {
      const skip = offset % 3;
      const from = ((offset - skip) / 3) * 4;
      const binary = atob(text.slice(from, from + Math.ceil((skip + length) / 3) * 4));
      const bytes = new Uint8Array(Math.max(0, Math.min(length, binary.length - skip)));
      for (let i = 0; i < bytes.length; ++i) bytes[i] = binary.charCodeAt(skip + i);
      return bytes;
    },
  };
}

function fromResponse(file: PlanFile, response: Response): Source & { kind: 'stream' } {
  const where = response.url ? ` from ${response.url}` : '';
  if (!response.ok) {
    throw new SubbyteError(
      'download',
      `${quoted(file.name)}${where}: the server answered ${response.status} ${response.statusText}: is the file deployed beside the module?`,
    );
  }
  if (response.bodyUsed || !response.body) {
    throw new SubbyteError(
      'download',
      `${quoted(file.name)}${where}: the response has no body, or it was read already`,
    );
  }
  const type = response.headers.get('content-type') ?? '';
  const note = /html/.test(type)
    ? ' (the server sent a page of HTML: is the file deployed beside the module?)'
    : '';
  return { kind: 'stream', body: response.body, note };
}

async function fromDisk(file: PlanFile, location: URL | string): Promise<Source> {
  const path = String(location);
  try {
    const fs = await external('node:fs/promises');
    const handle = await fs.open(location);
    return {
      kind: 'ranges',
      size: (await handle.stat()).size,
      read: async (offset, length) => {
        const bytes = new Uint8Array(length);
        let filled = 0;
        while (filled < length) {
          const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return bytes.subarray(0, filled);
      },
      close: () => handle.close(),
    };
  } catch (error) {
    throw new SubbyteError(
      'download',
      `the weights ${quoted(file.name)} cannot be read from ${path} (${messageOf(error)}): keep the file beside the module, or say where it is with load({ weights })`,
      error,
    );
  }
}

/** Whether a string is a path on disk in Node and not a URL; a scheme of one letter is a drive of Windows. */
function isPath(location: string): boolean {
  return !/^[a-z][a-z0-9+.-]+:/i.test(location);
}

async function fromUrl(
  file: PlanFile,
  location: URL | string,
  options: LoadOptions,
  signal: AbortSignal,
): Promise<Source> {
  const text = String(location);
  if (inNode() && (text.startsWith('file:') || isPath(text))) {
    return fromDisk(file, text.startsWith('file:') ? new URL(text) : text);
  }
  const kept = await keptFile(file, options);
  const found = await kept?.match();
  if (!found) return fetched(file, location, options, signal, kept);
  return {
    ...fromResponse(file, found),
    again: () => fetched(file, location, options, signal, kept),
  };
}

async function fetched(
  file: PlanFile,
  location: URL | string,
  { requestInit }: LoadOptions,
  signal: AbortSignal,
  kept: Kept | undefined,
): Promise<Source> {
  const text = String(location);
  let response: Response;
  try {
    response = await fetch(location, { ...requestInit, signal });
  } catch (error) {
    throwIfAborted(signal);
    throw new SubbyteError(
      'download',
      `the weights ${quoted(file.name)} cannot be fetched from ${text} (${messageOf(error)}): check the address, the network and CORS headers`,
      error,
    );
  }
  if (!kept || !response.ok || !response.body) return fromResponse(file, response);
  const stored = kept.put(response.clone());
  return {
    ...fromResponse(file, response),
    close: async (whole) => {
      await stored;
      if (!whole) await kept.remove();
    },
  };
}

/** One file of a folder, where the model has several; else the location itself. */
function inFolder(file: PlanFile, location: URL | string): URL | string {
  const text = String(location);
  return text.endsWith('/') ? text + file.name : location;
}

function fromGiven(
  file: PlanFile,
  given: unknown,
  options: LoadOptions,
  signal: AbortSignal,
): Source | Promise<Source> {
  if (typeof given === 'string') return fromUrl(file, inFolder(file, given), options, signal);
  const bytes = asBytes(given);
  if (bytes) return fromBytes(bytes);
  if (isObject(given)) {
    if (typeof given.href === 'string') {
      return fromUrl(file, inFolder(file, given as unknown as URL), options, signal);
    }
    if (typeof given.arrayBuffer === 'function') {
      return typeof given.slice === 'function'
        ? fromBlob(given as unknown as Blob)
        : fromResponse(file, given as unknown as Response);
    }
  }
  throw new SubbyteError(
    'bad-option',
    `load({ weights }) takes a URL, Response, Blob, ArrayBuffer or function (or an array of these, one for each file), not ${typeName(given)}`,
  );
}

/** The source of file `index`: what the user gave, else what the module carries, else what lies beside it. */
export async function openSource(
  files: readonly PlanFile[],
  index: number,
  options: LoadOptions,
  urls: readonly (() => URL | string)[],
  inline: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<Source> {
  const file = files[index]!;
  const given = options.weights;
  if (given === undefined) {
    const text = inline?.[index];
    return text === undefined ? fromUrl(file, urls[index]!(), options, signal) : fromBase64(text);
  }
  if (typeof given === 'function') return fromFunction(file, given);
  let one: unknown = given;
  if (Array.isArray(given)) {
    if (given.length !== files.length) {
      throw new SubbyteError(
        'bad-option',
        `load({ weights }): the array has ${given.length} entries, but the model has ${files.length} files: ${files.map((f) => f.name).join(', ')}`,
      );
    }
    one = given[index];
  }
  const settled: WeightSource | undefined = await (one as WeightSource | Promise<WeightSource>);
  const folder =
    (typeof settled === 'string' || typeof (settled as URL | undefined)?.href === 'string') &&
    String(settled).endsWith('/');
  if (files.length > 1 && !Array.isArray(given) && !folder) {
    throw new SubbyteError(
      'bad-option',
      `load({ weights }): the model has ${files.length} files of weights: give an array of as many, the URL of their folder (ending in "/"), or a function`,
    );
  }
  return fromGiven(file, settled, options, signal);
}
