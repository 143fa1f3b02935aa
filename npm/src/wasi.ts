// WASI (preview 1, the functions that the program imports) over Files.
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
import { errors, FileError, type Files, kinds, type OpenFile, type Status } from './files.js';

/** Thrown through the program to end it. */
export class Exit {
  constructor(readonly status: number) {}
}

interface Descriptor {
  /** Of a folder: its path. */
  folder?: string;
  file?: OpenFile;
  position: number;
  append: boolean;
}

export interface WasiOptions {
  args: string[];
  environment: Record<string, string>;
  files: Files;
  stdin: OpenFile;
  stdout: OpenFile;
  stderr: OpenFile;
}

const rootDescriptor = 3;
const allRights = 0xffff_ffff_ffff_ffffn;
const seekAndTell = (1n << 2n) | (1n << 5n);
const writeRight = 1n << 6n;

export class Wasi {
  private readonly descriptors = new Map<number, Descriptor>();
  private readonly args: Uint8Array[];
  private readonly environment: Uint8Array[];
  private memory!: WebAssembly.Memory;

  constructor(private readonly options: WasiOptions) {
    const encoder = new TextEncoder();
    this.args = options.args.map((text) => encoder.encode(text + '\0'));
    this.environment = Object.entries(options.environment).map(([name, value]) =>
      encoder.encode(`${name}=${value}\0`),
    );
    [options.stdin, options.stdout, options.stderr].forEach((file, number) =>
      this.descriptors.set(number, { file, position: 0, append: false }),
    );
    this.descriptors.set(rootDescriptor, { folder: '/', position: 0, append: false });
  }

  /** Runs a program; its exit status. */
  run(instance: WebAssembly.Instance): number {
    this.memory = instance.exports['memory'] as WebAssembly.Memory;
    try {
      (instance.exports['_start'] as () => void)();
      return 0;
    } catch (end) {
      if (end instanceof Exit) return end.status;
      throw end;
    }
  }

  text(pointer: number, length: number): string {
    return new TextDecoder().decode(this.bytes(pointer, length));
  }

  /** The functions, each of which gives an errno. */
  imports(module: WebAssembly.Module): Record<string, (...args: never[]) => unknown> {
    const all = this.functions();
    const wrapped: Record<string, (...args: never[]) => unknown> = {};
    for (const { module: name, name: field } of WebAssembly.Module.imports(module)) {
      if (name !== 'wasi_snapshot_preview1') continue;
      const call = all[field] as ((...args: unknown[]) => number | void) | undefined;
      wrapped[field] = (...args: unknown[]) => {
        if (!call) return errors.ENOSYS;
        try {
          return call.apply(this, args) ?? 0;
        } catch (error) {
          if (error instanceof FileError) return error.errno;
          throw error;
        }
      };
    }
    return wrapped;
  }

  private bytes(pointer: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, pointer >>> 0, length >>> 0);
  }
  private view(): DataView {
    return new DataView(this.memory.buffer);
  }
  private setSize(pointer: number, value: number): void {
    this.view().setUint32(pointer >>> 0, value, true);
  }
  private descriptor(number: number): Descriptor {
    const found = this.descriptors.get(number);
    if (!found) throw new FileError('EBADF');
    return found;
  }
  private file(number: number): Descriptor & { file: OpenFile } {
    const found = this.descriptor(number);
    if (!found.file) throw new FileError('EISDIR');
    return found as Descriptor & { file: OpenFile };
  }
  private path(number: number, pointer: number, length: number): string {
    const { folder } = this.descriptor(number);
    if (folder === undefined) throw new FileError('ENOTDIR');
    const name = this.text(pointer, length);
    // What the program asks for below the root is the system's to resolve, ".." and links too.
    return folder.endsWith('/') ? folder + name : `${folder}/${name}`;
  }
  private add(descriptor: Descriptor): number {
    let number = rootDescriptor + 1;
    while (this.descriptors.has(number)) number++;
    this.descriptors.set(number, descriptor);
    return number;
  }

  private texts(list: Uint8Array[], pointers: number, buffer: number): void {
    for (const text of list) {
      this.setSize(pointers, buffer);
      this.bytes(buffer, text.byteLength).set(text);
      pointers += 4;
      buffer += text.byteLength;
    }
  }
  private textSizes(list: Uint8Array[], count: number, bytes: number): void {
    this.setSize(count, list.length);
    this.setSize(
      bytes,
      list.reduce((sum, text) => sum + text.byteLength, 0),
    );
  }

  private writeStatus(status: Status, pointer: number): void {
    const view = this.view();
    const at = pointer >>> 0;
    view.setBigUint64(at, status.device, true);
    view.setBigUint64(at + 8, status.inode, true);
    view.setBigUint64(at + 16, BigInt(status.kind), true);
    view.setBigUint64(at + 24, status.links, true);
    view.setBigUint64(at + 32, status.size, true);
    for (const offset of [40, 48, 56]) view.setBigUint64(at + offset, status.modified, true);
  }

  /** Each buffer of a list in turn, until one is not filled or taken whole. */
  private each(list: number, count: number, use: (bytes: Uint8Array) => number): number {
    let done = 0;
    for (let i = 0; i < count; i++) {
      const at = (list >>> 0) + 8 * i;
      const length = this.view().getUint32(at + 4, true);
      const used = use(this.bytes(this.view().getUint32(at, true), length));
      done += used;
      if (used < length) break;
    }
    return done;
  }

  private readDirectory(number: number, buffer: number, room: number, cookie: bigint): number {
    const { folder } = this.descriptor(number);
    if (folder === undefined) throw new FileError('ENOTDIR');
    const out = this.bytes(buffer, room);
    const entries = this.options.files.list(folder);
    const encoder = new TextEncoder();
    let used = 0;
    for (let i = Number(cookie); i < entries.length && used < room; i++) {
      const name = encoder.encode(entries[i]!.name);
      const record = new Uint8Array(24 + name.byteLength);
      const view = new DataView(record.buffer);
      view.setBigUint64(0, BigInt(i + 1), true);
      view.setUint32(16, name.byteLength, true);
      view.setUint8(20, entries[i]!.kind);
      record.set(name, 24);
      const part = record.subarray(0, room - used);
      out.set(part, used);
      used += part.byteLength;
    }
    return used;
  }

  private functions(): Record<string, unknown> {
    const { files } = this.options;
    return {
      args_get: (pointers: number, buffer: number) => this.texts(this.args, pointers, buffer),
      args_sizes_get: (count: number, bytes: number) => this.textSizes(this.args, count, bytes),
      environ_get: (pointers: number, buffer: number) =>
        this.texts(this.environment, pointers, buffer),
      environ_sizes_get: (count: number, bytes: number) =>
        this.textSizes(this.environment, count, bytes),
      clock_time_get: (clock: number, _precision: bigint, out: number) => {
        const now = clock === 0 ? Date.now() : performance.now();
        this.view().setBigUint64(out >>> 0, BigInt(Math.round(now * 1e6)), true);
      },
      clock_res_get: (_clock: number, out: number) =>
        this.view().setBigUint64(out >>> 0, 1_000_000n, true),
      random_get: (pointer: number, length: number) => {
        // At most 65536 bytes a call (Web Crypto, section 10.1.1), and not into shared memory.
        for (let at = 0; at < length; at += 65536) {
          const part = new Uint8Array(Math.min(65536, length - at));
          crypto.getRandomValues(part);
          this.bytes(pointer + at, part.byteLength).set(part);
        }
      },
      sched_yield: () => 0,
      proc_exit: (status: number) => {
        throw new Exit(status);
      },

      fd_close: (number: number) => {
        this.descriptor(number).file?.close();
        this.descriptors.delete(number);
      },
      fd_fdstat_get: (number: number, out: number) => {
        const { file, append } = this.descriptor(number);
        const kind = file ? file.status().kind : kinds.folder;
        const rights = file?.terminal ? allRights & ~seekAndTell : allRights;
        const view = this.view();
        view.setUint16(out >>> 0, file?.terminal ? kinds.characters : kind, true);
        view.setUint16((out >>> 0) + 2, append ? 1 : 0, true);
        view.setBigUint64((out >>> 0) + 8, rights, true);
        view.setBigUint64((out >>> 0) + 16, allRights, true);
      },
      fd_fdstat_set_flags: (number: number, flags: number) => {
        this.descriptor(number).append = (flags & 1) !== 0;
      },
      fd_filestat_get: (number: number, out: number) => {
        const { file, folder } = this.descriptor(number);
        this.writeStatus(file ? file.status() : files.status(folder!, true), out);
      },
      fd_prestat_get: (number: number, out: number) => {
        if (number !== rootDescriptor) throw new FileError('EBADF');
        this.setSize(out, 0);
        this.setSize(out + 4, 1);
      },
      fd_prestat_dir_name: (_number: number, pointer: number, length: number) =>
        void this.bytes(pointer, length).fill(0x2f),
      fd_read: (number: number, list: number, count: number, out: number) => {
        const open = this.file(number);
        const done = this.each(list, count, (bytes) => {
          const got = open.file.read(bytes, open.position);
          open.position += got;
          return got;
        });
        this.setSize(out, done);
      },
      fd_pread: (number: number, list: number, count: number, offset: bigint, out: number) => {
        const { file } = this.file(number);
        let at = Number(offset);
        const done = this.each(list, count, (bytes) => {
          const got = file.read(bytes, at);
          at += got;
          return got;
        });
        this.setSize(out, done);
      },
      fd_write: (number: number, list: number, count: number, out: number) => {
        const open = this.file(number);
        if (open.append) open.position = Number(open.file.status().size);
        const done = this.each(list, count, (bytes) => {
          const put = open.file.write(bytes, open.position);
          open.position += put;
          return put;
        });
        this.setSize(out, done);
      },
      fd_readdir: (number: number, buffer: number, room: number, cookie: bigint, out: number) =>
        this.setSize(out, this.readDirectory(number, buffer, room, cookie)),
      fd_seek: (number: number, offset: bigint, whence: number, out: number) => {
        const open = this.file(number);
        if (open.file.terminal) throw new FileError('EINVAL');
        const from = [0, open.position, Number(open.file.status().size)][whence];
        if (from === undefined || from + Number(offset) < 0) throw new FileError('EINVAL');
        open.position = from + Number(offset);
        this.view().setBigUint64(out >>> 0, BigInt(open.position), true);
      },
      fd_tell: (number: number, out: number) =>
        this.view().setBigUint64(out >>> 0, BigInt(this.file(number).position), true),
      fd_sync: (number: number) => this.file(number).file.sync(),
      fd_datasync: (number: number) => this.file(number).file.sync(),

      path_create_directory: (folder: number, path: number, length: number) =>
        files.makeFolder(this.path(folder, path, length)),
      path_filestat_get: (
        folder: number,
        flags: number,
        path: number,
        length: number,
        out: number,
      ) => this.writeStatus(files.status(this.path(folder, path, length), (flags & 1) !== 0), out),
      path_link: (
        oldFolder: number,
        _flags: number,
        oldPath: number,
        oldLength: number,
        newFolder: number,
        newPath: number,
        newLength: number,
      ) =>
        files.link(
          this.path(oldFolder, oldPath, oldLength),
          this.path(newFolder, newPath, newLength),
        ),
      path_open: (
        folder: number,
        _lookup: number,
        path: number,
        length: number,
        flags: number,
        rights: bigint,
        _inherited: bigint,
        descriptorFlags: number,
        out: number,
      ) => {
        const name = this.path(folder, path, length);
        const create = (flags & 1) !== 0;
        const append = (descriptorFlags & 1) !== 0;
        const wantsFolder = (flags & 2) !== 0;
        const isFolder = !create && files.status(name, true).kind === kinds.folder;
        if (wantsFolder && !isFolder) throw new FileError('ENOTDIR');
        if (isFolder) return this.setSize(out, this.add({ folder: name, position: 0, append }));
        const file = files.open(name, {
          write: (rights & writeRight) !== 0n,
          create,
          exclusive: (flags & 4) !== 0,
          truncate: (flags & 8) !== 0,
        });
        this.setSize(out, this.add({ file, position: 0, append }));
      },
      path_readlink: (
        folder: number,
        path: number,
        length: number,
        buffer: number,
        room: number,
        out: number,
      ) => {
        const target = new TextEncoder().encode(files.readLink(this.path(folder, path, length)));
        const part = target.subarray(0, room);
        this.bytes(buffer, part.byteLength).set(part);
        this.setSize(out, part.byteLength);
      },
      path_rename: (
        oldFolder: number,
        oldPath: number,
        oldLength: number,
        newFolder: number,
        newPath: number,
        newLength: number,
      ) =>
        files.rename(
          this.path(oldFolder, oldPath, oldLength),
          this.path(newFolder, newPath, newLength),
        ),
      path_remove_directory: (folder: number, path: number, length: number) =>
        files.removeFolder(this.path(folder, path, length)),
      path_unlink_file: (folder: number, path: number, length: number) =>
        files.remove(this.path(folder, path, length)),
    };
  }
}
