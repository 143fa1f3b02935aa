// The disk, by Node's fs, for the program in WebAssembly.
import * as fs from 'node:fs';
import * as path from 'node:path';

import {
  type Entry,
  type ErrorName,
  errors,
  FileError,
  type Files,
  type Kind,
  kinds,
  type OpenFile,
  type OpenMode,
  type Status,
} from './files.js';

function kindOf(found: fs.BigIntStats | fs.Stats | fs.Dirent): Kind {
  if (found.isFile()) return kinds.file;
  if (found.isDirectory()) return kinds.folder;
  if (found.isSymbolicLink()) return kinds.link;
  // WASI has no pipes. Like a device, one is never put out of its place.
  if (found.isCharacterDevice() || found.isFIFO()) return kinds.characters;
  return kinds.unknown;
}

function statusOf(found: fs.BigIntStats): Status {
  return {
    kind: kindOf(found),
    device: found.dev,
    inode: found.ino,
    links: found.nlink,
    size: found.size,
    modified: found.mtimeNs,
  };
}

/** Node's errors as WASI's. */
export function asFileErrors<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    throw new FileError(code in errors ? (code as ErrorName) : 'EIO');
  }
}

/**
 * The program's path as the system's. The program knows names with "/" alone, and that what is absolute begins with one:
 * on Windows "C:\a" is "/C:/a" there, and "\\server\share" is "//server/share".
 */
export function systemPath(name: string, system: path.PlatformPath = path): string {
  if (system.sep === '/') return name;
  const drive = /^\/+([A-Za-z]:)(\/.*)?$/.exec(name);
  return system.normalize(drive ? drive[1] + (drive[2] ?? '/') : name);
}

/** The other way round, for a path that is relative or absolute. */
export function programPath(name: string, system: path.PlatformPath = path): string {
  if (system.sep === '/') return name;
  const slashes = name.replaceAll('\\', '/');
  return /^[A-Za-z]:(\/|$)/.test(slashes) ? '/' + slashes : slashes;
}

export class NodeOpenFile implements OpenFile {
  constructor(
    private readonly descriptor: number,
    private readonly sequential = false,
    readonly terminal = false,
  ) {}

  status(): Status {
    return asFileErrors(() => statusOf(fs.fstatSync(this.descriptor, { bigint: true })));
  }
  read(into: Uint8Array, position: number): number {
    const at = this.sequential ? null : position;
    return asFileErrors(() => fs.readSync(this.descriptor, into, 0, into.byteLength, at));
  }
  write(bytes: Uint8Array, position: number): number {
    const at = this.sequential ? null : position;
    for (;;) {
      try {
        return asFileErrors(() => fs.writeSync(this.descriptor, bytes, 0, bytes.byteLength, at));
      } catch (error) {
        // A pipe that is full, of somebody who reads slowly: Node makes pipes non-blocking.
        if (!(error instanceof FileError) || error.errno !== errors.EAGAIN) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
  }
  sync(): void {
    // What a file system cannot sync it keeps as it can.
    try {
      asFileErrors(() => fs.fsyncSync(this.descriptor));
    } catch (error) {
      if (!(error instanceof FileError) || error.errno === errors.ENOSPC) throw error;
    }
  }
  close(): void {
    asFileErrors(() => fs.closeSync(this.descriptor));
  }
}

/** What the disk is told that others must know of. */
export interface DiskObserver {
  /** A file that was opened for reading. */
  read(path: string): void;
  /** A file that must not stay where the program does not end. */
  temporary(path: string): void;
  /** A folder that is about to be made, which must not stay empty there. */
  folder(path: string): void;
  /** Called before anything is put in its place; does not return where that must not happen any more. */
  commit(): void;
}

/** As the program names what must not stay (src/base/disk_writer.cc). */
function isTemporary(file: string): boolean {
  return path.basename(file).startsWith('.subbyte-');
}

export class NodeFiles implements Files {
  constructor(private readonly observer?: DiskObserver) {}

  open(name: string, mode: OpenMode): OpenFile {
    const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_TRUNC } = fs.constants;
    const flags =
      (mode.write ? O_WRONLY : O_RDONLY) |
      (mode.create ? O_CREAT : 0) |
      (mode.exclusive ? O_EXCL : 0) |
      (mode.truncate ? O_TRUNC : 0) |
      // A named pipe must not wait for its other end. Windows knows none of it.
      (fs.constants.O_NONBLOCK ?? 0);
    const target = systemPath(name);
    if (mode.create && isTemporary(target)) this.observer?.temporary(target);
    const opened = new NodeOpenFile(asFileErrors(() => fs.openSync(target, flags, 0o666)));
    if (!mode.write && !isTemporary(target)) this.observer?.read(target);
    return opened;
  }
  status(name: string, follow: boolean): Status {
    const stat = follow ? fs.statSync : fs.lstatSync;
    return asFileErrors(() => statusOf(stat(systemPath(name), { bigint: true })));
  }
  list(name: string): Entry[] {
    const entries = asFileErrors(() => fs.readdirSync(systemPath(name), { withFileTypes: true }));
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  }
  readLink(name: string): string {
    return programPath(asFileErrors(() => fs.readlinkSync(systemPath(name))));
  }
  rename(from: string, to: string): void {
    this.observer?.commit();
    asFileErrors(() => fs.renameSync(systemPath(from), systemPath(to)));
  }
  link(from: string, to: string): void {
    this.observer?.commit();
    this.observer?.temporary(systemPath(to));
    asFileErrors(() => fs.linkSync(systemPath(from), systemPath(to)));
  }
  remove(name: string): void {
    asFileErrors(() => fs.unlinkSync(systemPath(name)));
  }
  makeFolder(name: string): void {
    const target = systemPath(name);
    // What is there already is somebody else's.
    if (!fs.existsSync(target)) this.observer?.folder(target);
    asFileErrors(() => fs.mkdirSync(target));
  }
  removeFolder(name: string): void {
    asFileErrors(() => fs.rmdirSync(systemPath(name)));
  }
}
