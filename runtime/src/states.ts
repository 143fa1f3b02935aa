// States that go round: an output that is kept, and given to the next run as an input.
import { groupOf, type Allocation, type Slot } from './allocation.js';
import type { Engine } from './engine.js';
import type { BufferPool } from './pool.js';
import type { Sizes } from './sizes.js';
import { slotIn, type Slots } from './slots.js';

/**
 * Makes what the next two runs of the same memory need, where the states of this one go round: the second buffer of each, and
 * the bind groups for both ways round. Resolves when the GPU has said whether there was room.
 */
export async function prepareRounds(
  engine: Engine,
  sizes: Sizes,
  slots: Slots,
  allocation: Allocation,
  outside: ReadonlyMap<number, Slot>,
): Promise<void> {
  const rounds = [new Map(outside), new Map(outside)] as const;
  const spares: { pool: BufferPool; buffer: GPUBuffer }[] = [];
  let states = 0;
  for (const [tensor, output] of slots.outputs) {
    const pool = engine.kept[output]!;
    const given = [...slots.inputs].find(([, { buffer }]) => engine.lentBy.get(buffer) === pool);
    if (!given) continue;
    ++states;
    const [input, { buffer: old }] = given;
    const bytes = allocation.capacities.bytes[tensor]!;
    let buffer = pool.serves(old, bytes) ? old : pool.next(bytes);
    if (!buffer) spares.push({ pool, buffer: (buffer = pool.make(bytes)) });
    const [own, other] = [outside.get(tensor)!, slotIn(engine, buffer)];
    rounds[0].set(input, own).set(tensor, other);
    rounds[1].set(input, other).set(tensor, own);
  }
  if (states === 0) return;
  const buffers = spares.map(({ buffer }) => buffer);
  const { checks } = engine.memory.checked(buffers, false, () => {
    for (const { launch } of sizes.dispatches) {
      for (const round of rounds) groupOf(engine, allocation, launch, round);
    }
  });
  await checks;
  for (const { pool, buffer } of spares) pool.give(buffer);
}
