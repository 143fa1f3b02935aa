// What convert and inspect reject with.

/** What failed: the command line ("usage"), the model or the work ("failed"), or an AbortSignal ("aborted"). */
export type ErrorCode = 'usage' | 'failed' | 'aborted';

export class SubbyteError extends Error {
  override readonly name = 'SubbyteError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
