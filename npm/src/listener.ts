// A caller's onProgress, which may throw: what it threw is then how the work ends, and nothing calls it again.
import type { Progress } from './job.js';

export class Listener {
  private thrown: { error: unknown } | undefined;

  constructor(private readonly onProgress: ((progress: Progress) => void) | undefined) {}

  get hasThrown(): boolean {
    return this.thrown !== undefined;
  }

  /** Tells of progress. What is thrown is thrown on, to the program that told. */
  hear(progress: Progress): void {
    if (this.thrown) return;
    try {
      this.onProgress?.(progress);
    } catch (error) {
      this.thrown = { error };
      throw error;
    }
  }

  /** Why the work ended that ended with `error`. */
  reason(error: unknown): unknown {
    return this.thrown ? this.thrown.error : error;
  }
}
