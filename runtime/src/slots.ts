// Tensors of a run that lie outside of the arenas: inputs bound where the user has them, and outputs written into the
// buffers that are handed out.
import type { Slot } from './allocation.js';
import type { Outside } from './capacity.js';
import type { Engine } from './engine.js';
import { ALIGNMENT, STORAGE, bindingBytes } from './gpu.js';
import type { Given } from './inputs.js';
import { isIdle } from './pool.js';
import type { Sizes } from './sizes.js';

export interface Slots extends Outside {
  /** By tensor: inputs that are bound where they lie. */
  inputs: Map<number, Slot>;
  /** By tensor: the index of the output whose buffer it is written into. */
  outputs: Map<number, number>;
}

/** What of a buffer is bound, from `offset` to `end` at most. */
export function slotIn(engine: Engine, buffer: GPUBuffer, offset = 0, end = buffer.size): Slot {
  const size = Math.min(end - offset, engine.device.limit('maxStorageBufferBindingSize'));
  return { buffer, offset, size: size - (size % 4) };
}

/**
 * The inputs on the GPU that can be bound where they lie: those in storage buffers, at aligned offsets, with room for whole
 * vec4s before the next input in the same buffer, since all that a step binds is bound for writing and must not overlap.
 */
function inputSlots(engine: Engine, given: readonly Given[], sizes: Sizes): Map<number, Slot> {
  const slots = new Map<number, Slot>();
  given.forEach(({ spec: { tensor }, count, gpu }, i) => {
    if (!gpu || tensor === undefined || count === 0) return;
    const { buffer, offset } = gpu;
    if ((buffer.usage & STORAGE) === 0 || offset % ALIGNMENT !== 0 || isIdle(buffer)) return;
    let end = buffer.size;
    given.forEach((other, j) => {
      if (j === i || other.gpu?.buffer !== buffer || other.count === 0) return;
      if (other.gpu.offset >= offset) end = Math.min(end, other.gpu.offset);
    });
    const slot = slotIn(engine, buffer, offset, end);
    if (slot.size >= bindingBytes(sizes.bytes[tensor]!)) slots.set(tensor, slot);
  });
  return slots;
}

/** Decides which tensors of a run lie outside of the arenas. */
export function slotsOf(
  engine: Engine,
  given: readonly Given[],
  sizes: Sizes,
  keep: ReadonlySet<string>,
): Slots {
  const inputs = inputSlots(engine, given, sizes);
  const ofInputs = new Set(given.map(({ spec }) => spec.tensor));
  const outputs = new Map<number, number>();
  engine.plan.outputs.forEach(({ name, tensor }, i) => {
    if (tensor === undefined || !keep.has(name) || sizes.bytes[tensor] === 0) return;
    // What an input gives is copied: the buffer stays the user's. Two outputs may be one tensor, but are two buffers.
    if (!ofInputs.has(tensor) && !outputs.has(tensor) && !engine.fixed.has(tensor)) {
      outputs.set(tensor, i);
    }
  });
  return {
    inputs,
    outputs,
    has: (tensor) => inputs.has(tensor) || outputs.has(tensor) || engine.fixed.has(tensor),
    isOurs: (tensor) => outputs.has(tensor),
    key: `${[...inputs.keys()].join()}/${[...outputs.keys()].join()}`,
  };
}
