// Parts of a run after which sizes become known that the GPU counts.
import type { Allocation } from './allocation.js';
import type { Engine } from './engine.js';
import { SubbyteError, quoted } from './errors.js';
import { mebibytes } from './gpu.js';
import { isCounted, type Plan } from './plan.js';
import type { Dispatch, Sizes } from './sizes.js';

export interface Segment {
  dispatches: Dispatch[];
  /** Indices of the plan's symbols that are counted in it. */
  symbols: readonly number[];
  isFirst: boolean;
  isLast: boolean;
}

/** The dispatches of a run by segment: one where the plan says nothing else. */
export function segmentsOf({ plan, program }: Engine, { dispatches }: Sizes): Segment[] {
  if (!plan.segments) return [{ dispatches, symbols: [], isFirst: true, isLast: true }];
  let end = 0;
  return plan.segments.map(({ steps, symbols = [] }, s) => {
    const start = end;
    end += steps;
    const isInside = (step: number): boolean => step >= start && step < end;
    return {
      dispatches: dispatches.filter(({ launch }) => isInside(program.launches[launch]!.index)),
      symbols,
      isFirst: s === 0,
      isLast: s + 1 === plan.segments!.length,
    };
  });
}

/** Memory was made for the most that may be counted; a tensor that is larger where less is has no room. */
export function checkCapacities(plan: Plan, sizes: Sizes, { capacities }: Allocation): void {
  const large = sizes.bytes.findIndex((bytes, t) => bytes > capacities.bytes[t]!);
  if (large < 0) return;
  const counted = plan.symbols.flatMap((symbol, s) =>
    isCounted(symbol) ? [`${quoted(symbol.name)} = ${sizes.symbols[s]}`] : [],
  );
  throw new SubbyteError(
    'limits',
    `with ${counted.join(', ')} a tensor takes ${mebibytes(sizes.bytes[large]!)}, more than with the largest counts, for which there is memory; a model whose tensors grow as fewer elements are found cannot be run`,
  );
}
