// What the program sees of files: the seam between WASI and the disk, a browser's Blobs, or memory.

/** Numbers of WASI's errors (preview 1, `errno`). */
export const errors = {
  EACCES: 2,
  EAGAIN: 6,
  EBADF: 8,
  EBUSY: 10,
  EDQUOT: 19,
  EEXIST: 20,
  EFBIG: 22,
  EINVAL: 28,
  EIO: 29,
  EISDIR: 31,
  ELOOP: 32,
  EMFILE: 33,
  EMLINK: 34,
  ENAMETOOLONG: 37,
  ENFILE: 41,
  ENOENT: 44,
  ENOSPC: 51,
  ENOSYS: 52,
  ENOTDIR: 54,
  ENOTEMPTY: 55,
  ENOTSUP: 58,
  EPERM: 63,
  EPIPE: 64,
  EROFS: 69,
  EXDEV: 75,
} as const;

export type ErrorName = keyof typeof errors;

export class FileError extends Error {
  readonly errno: number;
  constructor(name: ErrorName) {
    super(name);
    this.errno = errors[name];
  }
}

/** WASI's `filetype`. */
export const kinds = { unknown: 0, characters: 2, folder: 3, file: 4, link: 7 } as const;
export type Kind = (typeof kinds)[keyof typeof kinds];

export interface Status {
  kind: Kind;
  device: bigint;
  inode: bigint;
  links: bigint;
  size: bigint;
  /** Nanoseconds since 1970. */
  modified: bigint;
}

export interface OpenFile {
  status(): Status;
  /** The bytes that were there, at most as many as `into` has room for; 0 at the end. */
  read(into: Uint8Array, position: number): number;
  write(bytes: Uint8Array, position: number): number;
  sync(): void;
  close(): void;
  readonly terminal?: boolean;
}

export interface OpenMode {
  write: boolean;
  create: boolean;
  exclusive: boolean;
  truncate: boolean;
}

export interface Entry {
  name: string;
  kind: Kind;
}

/** Paths are absolute, with "/" between names. All functions throw FileError. */
export interface Files {
  open(path: string, mode: OpenMode): OpenFile;
  status(path: string, follow: boolean): Status;
  list(path: string): Entry[];
  readLink(path: string): string;
  rename(from: string, to: string): void;
  link(from: string, to: string): void;
  remove(path: string): void;
  makeFolder(path: string): void;
  removeFolder(path: string): void;
}

/** "/a/./b/../c" -> "/a/c"; what goes above the root stays there. */
export function normalPath(path: string): string {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return '/' + names.join('/');
}

/** Some folders from elsewhere, all else from `rest`. */
export class MountedFiles implements Files {
  constructor(
    private readonly folder: string,
    private readonly inside: Files,
    private readonly rest: Files,
  ) {}

  private at(path: string): [Files, string] {
    const normal = normalPath(path);
    if (normal === this.folder) return [this.inside, '/'];
    if (normal.startsWith(this.folder + '/'))
      return [this.inside, normal.slice(this.folder.length)];
    return [this.rest, path];
  }
  private both(from: string, to: string): [Files, string, string] {
    const [files, first] = this.at(from);
    const [others, second] = this.at(to);
    if (files !== others) throw new FileError('EXDEV');
    return [files, first, second];
  }

  open(path: string, mode: OpenMode): OpenFile {
    const [files, inner] = this.at(path);
    return files.open(inner, mode);
  }
  status(path: string, follow: boolean): Status {
    const [files, inner] = this.at(path);
    return files.status(inner, follow);
  }
  list(path: string): Entry[] {
    const [files, inner] = this.at(path);
    return files.list(inner);
  }
  readLink(path: string): string {
    const [files, inner] = this.at(path);
    return files.readLink(inner);
  }
  rename(from: string, to: string): void {
    const [files, first, second] = this.both(from, to);
    files.rename(first, second);
  }
  link(from: string, to: string): void {
    const [files, first, second] = this.both(from, to);
    files.link(first, second);
  }
  remove(path: string): void {
    const [files, inner] = this.at(path);
    files.remove(inner);
  }
  makeFolder(path: string): void {
    const [files, inner] = this.at(path);
    files.makeFolder(inner);
  }
  removeFolder(path: string): void {
    const [files, inner] = this.at(path);
    files.removeFolder(inner);
  }
}
