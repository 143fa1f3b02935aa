// WebGPU's flags, by value: the globals that hold them are absent where a device is handed in without them.

export const MAP_READ = 0x1;
export const MAP_WRITE = 0x2;
export const COPY_SRC = 0x4;
export const COPY_DST = 0x8;
export const UNIFORM = 0x40;
export const STORAGE = 0x80;
export const COMPUTE_STAGE = 0x4;
export const MODE_READ = 0x1;
export const MODE_WRITE = 0x2;

/** The default, and so the largest, minimum alignment of uniform and storage buffer offsets. */
export const ALIGNMENT = 256;

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** Bytes to bind for `bytes` of content: whole vec4s, at least one, for any element type a kernel declares. */
export function bindingBytes(bytes: number): number {
  return Math.max(16, roundUp(bytes, 16));
}

/** Bytes to copy for `bytes` of content: copies are of whole words. */
export function copyBytes(bytes: number): number {
  return roundUp(bytes, 4);
}

/** "1.5 MiB", for messages. */
export function mebibytes(bytes: number): string {
  return `${Number((bytes / 1048576).toPrecision(4))} MiB`;
}

/** What the scopes of a piece of work caught, when the GPU process has answered. */
export type Scope = Promise<{ outOfMemory: boolean; message: string } | undefined>;

/** Runs `body`, which must be synchronous (scopes nest), and collects its out-of-memory and validation errors. */
export function scoped<T>(device: GPUDevice, body: () => T): { result: T; errors: Scope } {
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  let errors: Scope | undefined;
  try {
    const result = body();
    return { result, errors: (errors = popScopes(device)) };
  } finally {
    // Where the body threw, nobody awaits them.
    if (!errors) popScopes(device).catch(() => {});
  }
}

async function popScopes(device: GPUDevice): Scope {
  const popped = [device.popErrorScope(), device.popErrorScope()] as const;
  const [validation, memory] = await Promise.all(popped);
  const error = memory ?? validation;
  return error ? { outOfMemory: memory !== null, message: error.message } : undefined;
}
