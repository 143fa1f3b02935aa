import type { ErrorCode } from '../module';

/** The one error type that `load`, `run` and `read` reject with. */
export class SubbyteError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    if (code === 'aborted') this.name = 'AbortError';
    this.code = code;
  }
}

// On the prototype, so that the stack, which is written before the constructor's body runs, begins with it.
SubbyteError.prototype.name = 'SubbyteError';

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return String(isObject(error) && 'message' in error ? error.message : error);
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
