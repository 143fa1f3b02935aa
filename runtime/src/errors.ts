/**
 * What went wrong, for programs; the message says it for people.
 *
 * - `no-webgpu`, `no-adapter`, `no-device`: there is no WebGPU, no GPU for it, or the GPU refused a device
 * - `limits`: this GPU's limits are too small for the model, or for these sizes
 * - `bad-option`: an option of `load` or `run` is not what it may be
 * - `bad-input`: an input is unknown, missing, or not of the form that an input has
 * - `bad-output`: an unknown output in `keep`
 * - `bad-dtype`: an input's data is of the wrong type
 * - `bad-shape`: wrong rank, dims or number of values, or sizes that the model does not allow
 * - `out-of-range`: a value that the GPU's 32 bits cannot hold
 * - `download`: weights could not be read; `integrity`: they were, and are not the model's
 * - `compile`: the GPU's driver refused a kernel
 * - `out-of-memory`: the GPU's memory is not enough
 * - `aborted`: by the signal (the error's `name` is then `AbortError`)
 * - `device-lost`, `disposed`: the device or the model is gone
 * - `internal`: a defect of subbyte
 */
export type ErrorCode =
  | 'no-webgpu'
  | 'no-adapter'
  | 'no-device'
  | 'limits'
  | 'bad-option'
  | 'bad-input'
  | 'bad-output'
  | 'bad-dtype'
  | 'bad-shape'
  | 'out-of-range'
  | 'download'
  | 'integrity'
  | 'compile'
  | 'out-of-memory'
  | 'aborted'
  | 'device-lost'
  | 'disposed'
  | 'internal';

/** The one error type that `load`, `run` and `read` reject with. */
export class SubbyteError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = code === 'aborted' ? 'AbortError' : 'SubbyteError';
    this.code = code;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ||
    (typeof error === 'object' && error !== null && 'message' in error)
    ? String(error.message)
    : String(error);
}

/** A name as messages show it. */
export function quoted(name: string): string {
  return JSON.stringify(name);
}

/** Throws where the signal has been aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal);
}

/** Rejects when the signal is aborted; never resolves. */
export function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(aborted(signal));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

function aborted(signal: AbortSignal): SubbyteError {
  // An internal signal is aborted with the error that ended the loading.
  if (signal.reason instanceof SubbyteError) return signal.reason;
  return new SubbyteError(
    'aborted',
    `loading was aborted: ${messageOf(signal.reason)}`,
    signal.reason,
  );
}
