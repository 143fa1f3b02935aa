import { bytesOf } from './dtype.js';
import { SubbyteError, messageOf, quoted, throwIfAborted } from './errors.js';
import { CHUNK_BYTES, type PlanFile } from './plan.js';
import type { Source } from './sources.js';

export interface Sink {
  /** Takes verified bytes of a file; the array is only lent. */
  write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Counts bytes as they arrive; fewer than none where some must come again. */
  arrived(bytes: number): void;
}

/** Ranges asked for at the same time, of sources that answer ranges. */
const PARALLEL_RANGES = 4;

const ADVICE =
  'deploy the module and its weights of one conversion, whole, and reload past any cache';

function wrongSize(file: PlanFile, found: string, note = ''): SubbyteError {
  return new SubbyteError(
    'integrity',
    `the weights ${quoted(file.name)} ${found}, but must have ${file.bytes} bytes${note}: ${ADVICE}`,
  );
}

async function verify(
  file: PlanFile,
  chunk: number,
  bytes: Uint8Array<ArrayBuffer>,
  note = '',
): Promise<void> {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) {
    throw new SubbyteError(
      'integrity',
      'the weights cannot be verified without crypto.subtle: use a secure page (https or localhost)',
    );
  }
  const hash = new Uint8Array(await subtle.digest('SHA-256', bytes));
  const hex = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (hex !== file.chunks[chunk]) {
    throw new SubbyteError(
      'integrity',
      `the weights ${quoted(file.name)} are not this model's: the SHA-256 of bytes ${chunk * CHUNK_BYTES} to ${chunk * CHUNK_BYTES + bytes.length - 1} is ${hex}, not ${file.chunks[chunk]}${note}: ${ADVICE}`,
    );
  }
}

async function copyRanges(
  file: PlanFile,
  source: Source & { kind: 'ranges' },
  sink: Sink,
  signal: AbortSignal,
): Promise<void> {
  if (source.size !== undefined && source.size !== file.bytes) {
    throw wrongSize(file, `have ${source.size} bytes`);
  }
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < file.chunks.length) {
      const chunk = next++;
      const offset = chunk * CHUNK_BYTES;
      const wanted = Math.min(CHUNK_BYTES, file.bytes - offset);
      let bytes: Uint8Array;
      try {
        bytes = await source.read(offset, wanted, signal);
      } catch (error) {
        throwIfAborted(signal);
        if (error instanceof SubbyteError) throw error;
        throw new SubbyteError(
          'download',
          `bytes ${offset} to ${offset + wanted - 1} of the weights ${quoted(file.name)} cannot be read: ${messageOf(error)}`,
          error,
        );
      }
      throwIfAborted(signal);
      if (bytes.length !== wanted) {
        throw new SubbyteError(
          'integrity',
          `the weights ${quoted(file.name)}: ${bytes.length} bytes came where ${wanted} were asked for, at byte ${offset}: ${ADVICE}`,
        );
      }
      sink.arrived(wanted);
      // Shared memory can change between the check and the upload, and WebGPU does not take it everywhere.
      const own = bytesOf(bytes);
      await verify(file, chunk, own);
      throwIfAborted(signal);
      await sink.write(offset, own);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_RANGES }, worker));
}

async function copyStream(
  file: PlanFile,
  source: Source & { kind: 'stream' },
  sink: Sink,
  signal: AbortSignal,
): Promise<void> {
  const reader = source.body.getReader();
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, file.bytes));
  let chunk = 0;
  let filled = 0;
  let total = 0;
  const next = async (): Promise<Uint8Array | undefined> => {
    try {
      const { done, value } = await reader.read();
      return done ? undefined : value;
    } catch (error) {
      throwIfAborted(signal);
      throw new SubbyteError(
        'download',
        `the download of the weights ${quoted(file.name)} broke off after ${total} of ${file.bytes} bytes (${messageOf(error)}): try again`,
        error,
      );
    }
  };
  try {
    for (let piece = await next(); piece; piece = await next()) {
      throwIfAborted(signal);
      total += piece.length;
      if (total > file.bytes) throw wrongSize(file, `have more bytes`, source.note);
      sink.arrived(piece.length);
      while (piece.length > 0) {
        const part: Uint8Array = piece.subarray(0, buffer.length - filled);
        buffer.set(part, filled);
        filled += part.length;
        piece = piece.subarray(part.length);
        if (filled === buffer.length || chunk * CHUNK_BYTES + filled === file.bytes) {
          const bytes = buffer.subarray(0, filled);
          await verify(file, chunk, bytes, source.note);
          throwIfAborted(signal);
          await sink.write(chunk * CHUNK_BYTES, bytes);
          ++chunk;
          filled = 0;
        }
      }
    }
    if (total < file.bytes) throw wrongSize(file, `end after ${total} bytes`, source.note);
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * Reads a file from its source; every 4 MiB reach the sink only after their SHA-256 has been checked. A copy that was kept and
 * is damaged is read again from where it came.
 */
export async function copyFile(
  file: PlanFile,
  source: Source,
  sink: Sink,
  signal: AbortSignal,
): Promise<void> {
  let counted = 0;
  let whole = false;
  const counting: Sink = {
    write: sink.write,
    arrived(bytes) {
      counted += bytes;
      sink.arrived(bytes);
    },
  };
  try {
    await (source.kind === 'stream'
      ? copyStream(file, source, counting, signal)
      : copyRanges(file, source, counting, signal));
    whole = true;
  } catch (error) {
    const again = source.kind === 'stream' && source.again;
    if (!again || signal.aborted) throw error;
    sink.arrived(-counted);
    await copyFile(file, await again(), sink, signal);
  } finally {
    await source.close?.(whole);
  }
}
