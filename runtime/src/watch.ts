// 64-bit integers that may leave the GPU's 32 bits are computed under watch: a kernel that stores one which did leaves the
// number of its node in a word that is cleared when the run starts and read back with the outputs.
import { arenaSlot, type Allocation } from './allocation.js';
import type { Engine } from './engine.js';
import { SubbyteError } from './errors.js';
import type { Wanted } from './outputs.js';

/** In place of an output's index. */
export const FLAG = -1;

const BYTES = 4;

export function clearFlag(
  engine: Engine,
  encoder: GPUCommandEncoder,
  allocation: Allocation,
): void {
  const { watch } = engine.plan;
  if (!watch) return;
  const { buffer, offset } = arenaSlot(engine, allocation, watch.tensor);
  encoder.clearBuffer(buffer, offset, BYTES);
}

export function wantedFlag(engine: Engine, allocation: Allocation): Wanted[] {
  const { watch } = engine.plan;
  if (!watch) return [];
  const source = arenaSlot(engine, allocation, watch.tensor);
  return [{ output: FLAG, source, bytes: BYTES, capacity: BYTES }];
}

/** Throws where a node left its number. */
export function checkFlag({ plan: { watch } }: Engine, mapped: ArrayBuffer, offset: number): void {
  const number = new Uint32Array(mapped, offset, 1)[0]!;
  if (number === 0) return;
  throw new SubbyteError(
    'out-of-range',
    `${watch!.nodes[number - 1]}: a 64-bit integer that it computes does not fit the 32 bits of the GPU, or there is none (a division by zero)`,
  );
}
