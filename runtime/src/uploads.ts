import { arenaSlot, type Allocation, type Slot } from './allocation.js';
import type { Engine } from './engine.js';
import { SubbyteError, messageOf } from './errors.js';
import { COPY_DST, COPY_SRC, STORAGE, bindingBytes, copyBytes, scoped } from './gpu.js';
import { labelOf, type Given } from './inputs.js';
import { knownBuffers } from './outputs.js';
import { giveMapped } from './pool.js';
import type { Request } from './request.js';

/** An input that goes through a mapped buffer. */
export interface Upload {
  input: number;
  staging: GPUBuffer;
  /** To be called when the copy has been submitted. */
  giveBack(): void;
}

/** Inputs from this size on are copied once, into mapped memory, where `writeBuffer` copies more often. */
const LARGE_INPUT = 1024 * 1024;

/** Takes a mapped buffer for each large input. */
export function planUploads(engine: Engine, request: Request, allocation: Allocation): Upload[] {
  return request.encoded.flatMap((bytes, input): Upload[] => {
    if (!bytes || bytes.length < LARGE_INPUT) return [];
    const tensor = request.given[input]!.spec.tensor!;
    const staging = engine.uploads.take(bytes.length, allocation.capacities.bytes[tensor]!);
    return [{ input, staging, giveBack: () => giveMapped(engine.uploads, staging) }];
  });
}

/** Writes the inputs that a step reads where the run has them, but for those that are bound where they lie. */
export function writeInputs(
  engine: Engine,
  { given, encoded }: Request,
  job: { allocation: Allocation; outside: ReadonlyMap<number, Slot>; uploads: Upload[] },
  encoder: GPUCommandEncoder,
): void {
  given.forEach(({ spec: { tensor }, count, width, gpu }, i) => {
    if (tensor === undefined || count === 0 || job.outside.has(tensor)) return;
    const target = arenaSlot(engine, job.allocation, tensor);
    const bytes = copyBytes(width * count);
    if (gpu) {
      encoder.copyBufferToBuffer(gpu.buffer, gpu.offset, target.buffer, target.offset, bytes);
      return;
    }
    const upload = job.uploads.find(({ input }) => input === i);
    if (!upload) {
      engine.device.gpu.queue.writeBuffer(target.buffer, target.offset, encoded[i]!);
      return;
    }
    const { staging } = upload;
    new Uint8Array(staging.getMappedRange(0, bytes)).set(encoded[i]!);
    staging.unmap();
    encoder.copyBufferToBuffer(staging, 0, target.buffer, target.offset, bytes);
  });
}

/**
 * What is wrong where WebGPU refused a run, because of a buffer of the user's: whether one is of the model's device and may be
 * read is not known before. Each is read alone.
 */
export async function refusedInput(
  { device: { gpu } }: Engine,
  given: readonly Given[],
): Promise<SubbyteError | undefined> {
  for (const { spec, gpu: source, count } of given) {
    if (!source || count === 0 || knownBuffers.get(source.buffer) === gpu) continue;
    const target = gpu.createBuffer({ size: 4, usage: COPY_DST });
    let reason: string | undefined;
    try {
      const { errors } = scoped(gpu, () => {
        const encoder = gpu.createCommandEncoder();
        encoder.copyBufferToBuffer(source.buffer, source.offset, target, 0, 4);
        gpu.queue.submit([encoder.finish()]);
      });
      reason = (await errors)?.message;
    } catch (error) {
      // An object of another implementation of WebGPU.
      reason = messageOf(error);
    }
    target.destroy();
    if (reason !== undefined) {
      return new SubbyteError(
        'bad-input',
        `${labelOf(spec)}: its buffer must be made by model.device, and be neither destroyed nor mapped: ${reason}`,
      );
    }
  }
  return undefined;
}

/**
 * The inputs of a run that has to wait, as they are now: the caller may change its arrays, and dispose of its tensors, as
 * soon as `run` has returned.
 */
export function detachInputs(
  engine: Engine,
  request: Request,
): { request: Request; checks: Promise<void>; release(): void } {
  const { gpu } = engine.device;
  const copies = request.given.map(({ gpu: source, count, width }) => {
    if (!source || count === 0) return undefined;
    const bytes = width * count;
    const usage = STORAGE | COPY_SRC | COPY_DST;
    // Large enough to be bound where it lies, as the caller's buffer most likely is.
    const size = bindingBytes(bytes);
    return { source, bytes, buffer: engine.memory.make({ label: 'subbyte input', size, usage }) };
  });
  const buffers = copies.flatMap((copy) => copy?.buffer ?? []);
  const { checks } = engine.memory.checked(buffers, buffers.length > 0, () => {
    if (buffers.length === 0) return;
    const encoder = gpu.createCommandEncoder();
    for (const copy of copies) {
      if (!copy) continue;
      const { source, buffer, bytes } = copy;
      encoder.copyBufferToBuffer(source.buffer, source.offset, buffer, 0, copyBytes(bytes));
      knownBuffers.set(buffer, gpu);
    }
    gpu.queue.submit([encoder.finish()]);
  });
  const given = request.given.map((one, i) => {
    const copy = copies[i];
    return copy ? { ...one, gpu: { buffer: copy.buffer, offset: 0 } } : one;
  });
  return {
    request: {
      ...request,
      given,
      encoded: request.encoded.map((bytes) => bytes?.slice()),
      onCpu: request.onCpu.map((data) => data?.slice()),
      keptBytes: request.keptBytes.map((bytes) => bytes?.slice()),
    },
    checks,
    release: () => buffers.forEach((buffer) => buffer.destroy()),
  };
}
