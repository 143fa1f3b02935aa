// Files in memory: what is given to the program as bytes, and what it writes that is to be handed back.
import {
  type Entry,
  FileError,
  type Files,
  kinds,
  normalPath,
  type OpenFile,
  type OpenMode,
  type Status,
} from './files.js';

/** Bytes that can be read at once at any place: an array, or a Blob where there is a FileReaderSync. */
export interface Source {
  readonly size: number;
  /** Fills `into` from `position`, as far as there are bytes. */
  read(into: Uint8Array, position: number): number;
}

export function sourceOfBytes(bytes: Uint8Array): Source {
  return {
    size: bytes.byteLength,
    read(into, position) {
      const piece = bytes.subarray(position, position + into.byteLength);
      into.set(piece);
      return piece.byteLength;
    },
  };
}

/** What was written, in the pieces that it came in. */
class Written implements Source {
  size = 0;
  readonly pieces: Uint8Array[] = [];
  private readonly starts: number[] = [];

  append(bytes: Uint8Array): void {
    this.pieces.push(bytes.slice());
    this.starts.push(this.size);
    this.size += bytes.byteLength;
  }
  read(into: Uint8Array, position: number): number {
    let done = 0;
    for (let i = this.indexOf(position); i < this.pieces.length && done < into.byteLength; i++) {
      const piece = this.pieces[i]!.subarray(position + done - this.starts[i]!);
      const part = piece.subarray(0, into.byteLength - done);
      into.set(part, done);
      done += part.byteLength;
    }
    return done;
  }
  private indexOf(position: number): number {
    let low = 0;
    let high = this.starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.starts[middle]! <= position) low = middle;
      else high = middle;
    }
    return low;
  }
}

interface Stored {
  inode: bigint;
  content: Source;
}

/** A single folder, "/". */
export class MemoryFiles implements Files {
  private readonly files = new Map<string, Stored>();
  private nextInode = 2n;
  private static nextDevice = 1n << 40n;
  private readonly device = MemoryFiles.nextDevice++;

  put(name: string, content: Source): void {
    this.files.set('/' + name, { inode: this.nextInode++, content });
  }

  /** What the program wrote, in the order of the names, temporary files left out. */
  written(): { name: string; pieces: Uint8Array[] }[] {
    const all: { name: string; pieces: Uint8Array[] }[] = [];
    for (const [path, { content }] of this.files) {
      const name = path.slice(1);
      if (content instanceof Written && !name.startsWith('.subbyte-'))
        all.push({ name, pieces: content.pieces });
    }
    return all.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  open(path: string, mode: OpenMode): OpenFile {
    const normal = normalPath(path);
    if (normal === '/') throw new FileError('EISDIR');
    let stored = this.files.get(normal);
    if (stored && mode.create && mode.exclusive) throw new FileError('EEXIST');
    if (!stored && !mode.create) throw new FileError('ENOENT');
    if (!stored || mode.truncate) {
      if (normal.lastIndexOf('/') > 0) throw new FileError('ENOENT');
      stored = { inode: stored?.inode ?? this.nextInode++, content: new Written() };
      this.files.set(normal, stored);
    }
    const { content } = stored;
    return {
      status: () => this.statusOf(stored),
      read: (into, position) => content.read(into, position),
      write(bytes, position) {
        if (!(content instanceof Written)) throw new FileError('EROFS');
        // The program writes from the beginning to the end.
        if (position !== content.size) throw new FileError('ENOTSUP');
        content.append(bytes);
        return bytes.byteLength;
      },
      sync() {},
      close() {},
    };
  }

  status(path: string): Status {
    const normal = normalPath(path);
    if (normal === '/') {
      const { device } = this;
      return { kind: kinds.folder, device, inode: 1n, links: 1n, size: 0n, modified: 0n };
    }
    return this.statusOf(this.find(normal));
  }

  list(path: string): Entry[] {
    if (normalPath(path) !== '/') throw new FileError('ENOENT');
    return [...this.files.keys()].map((name) => ({ name: name.slice(1), kind: kinds.file }));
  }

  readLink(): string {
    throw new FileError('EINVAL');
  }

  rename(from: string, to: string): void {
    const stored = this.find(normalPath(from));
    this.files.set(normalPath(to), stored);
    this.files.delete(normalPath(from));
  }

  link(from: string, to: string): void {
    const target = normalPath(to);
    if (this.files.has(target)) throw new FileError('EEXIST');
    this.files.set(target, this.find(normalPath(from)));
  }

  remove(path: string): void {
    if (!this.files.delete(normalPath(path))) throw new FileError('ENOENT');
  }

  makeFolder(): void {
    throw new FileError('ENOTSUP');
  }

  removeFolder(): void {
    throw new FileError('ENOTSUP');
  }

  private find(normal: string): Stored {
    const stored = this.files.get(normal);
    if (!stored) throw new FileError('ENOENT');
    return stored;
  }

  private statusOf(stored: Stored): Status {
    return {
      kind: kinds.file,
      device: this.device,
      inode: stored.inode,
      links: 1n,
      size: BigInt(stored.content.size),
      modified: 0n,
    };
  }
}
