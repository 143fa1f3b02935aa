import { SubbyteError, messageOf } from './errors.js';
import { mebibytes, scoped, type Scope } from './gpu.js';

/**
 * The buffers of one device that the runtime makes, and which of them the GPU has not confirmed yet. WebGPU hands out a
 * buffer at once and says later whether there was memory for it; work with one that was refused does nothing, so a run
 * that uses an unconfirmed buffer waits for its answer, whichever run made it.
 */
export interface Memory {
  make(descriptor: GPUBufferDescriptor): GPUBuffer;
  /**
   * Runs `body`, which is synchronous and works with `buffers`. Where one of them is unconfirmed, or others that are
   * `foreign` may not be valid, `checks` rejects with what is wrong, and the page hears nothing of it.
   */
  checked<T>(
    buffers: Iterable<GPUBuffer>,
    foreign: boolean,
    body: () => T,
  ): { result: T; checks: Promise<void> };
}

export function deviceMemory(gpu: GPUDevice): Memory {
  const unconfirmed = new WeakMap<GPUBuffer, Scope>();
  return {
    make(descriptor) {
      let made: { result: GPUBuffer; errors: Scope };
      try {
        made = scoped(gpu, () => gpu.createBuffer(descriptor));
      } catch (error) {
        // A buffer that is mapped at its creation needs memory at once.
        throw new SubbyteError(
          'out-of-memory',
          `there is no room for a buffer of ${mebibytes(descriptor.size)}: ${messageOf(error)}`,
          error,
        );
      }
      const { result, errors } = made;
      unconfirmed.set(result, errors);
      errors.then(
        (error) => {
          if (!error) unconfirmed.delete(result);
        },
        () => {},
      );
      return result;
    },
    checked(buffers, foreign, body) {
      const waits = [...new Set(buffers)].flatMap((buffer) => unconfirmed.get(buffer) ?? []);
      if (waits.length === 0 && !foreign) return { result: body(), checks: Promise.resolve() };
      const { result, errors } = scoped(gpu, body);
      // That a buffer was refused is the cause of what its use gives.
      const checks = Promise.all([...waits, errors]).then((all) => all.forEach(throwScopeError));
      return { result, checks };
    },
  };
}

/** Throws what an error scope around a run's work caught, as the user's error. */
function throwScopeError(error: Awaited<Scope>): void {
  if (!error) return;
  if (error.outOfMemory) {
    throw new SubbyteError(
      'out-of-memory',
      `the GPU has no room for these input sizes: ${error.message}`,
    );
  }
  throw new SubbyteError('internal', `WebGPU refused the run: ${error.message}`);
}
