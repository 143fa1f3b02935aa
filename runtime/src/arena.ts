import { ALIGNMENT, roundUp } from './gpu.js';

/** Bytes that live from step `first` to step `last`, both included. */
export interface Lifetime {
  bytes: number;
  first: number;
  last: number;
}

export interface Place {
  arena: number;
  offset: number;
}

export interface Packing {
  places: Place[];
  /** Bytes of each arena. */
  totals: number[];
}

interface Placed extends Lifetime {
  offset: number;
}

/** The offset of the smallest gap between those alive at the same time that holds `item`; the end if there is none. */
function bestFit(placed: readonly Placed[], item: Lifetime): number {
  let best = Infinity;
  let bestGap = Infinity;
  let end = 0;
  for (const other of placed) {
    if (other.first > item.last || item.first > other.last) continue;
    const gap = other.offset - end;
    if (gap >= item.bytes && gap < bestGap) {
      best = end;
      bestGap = gap;
    }
    end = Math.max(end, other.offset + other.bytes);
  }
  return best === Infinity ? end : best;
}

function insertByOffset(placed: Placed[], item: Placed): void {
  let low = 0;
  let high = placed.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (placed[middle]!.offset <= item.offset) low = middle + 1;
    else high = middle;
  }
  placed.splice(low, 0, item);
}

/**
 * Gives each tensor an offset in an arena such that no two that are alive in the same step overlap: greedy by size, the
 * largest first, each into the tightest gap (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
 * Inference", 2020, section 5). A tensor lies in one arena; a further one is begun where `limit` bytes are not enough.
 * An empty tensor takes one unit of alignment, since a binding may not be empty.
 */
export function pack(lifetimes: readonly Lifetime[], limit: number): Packing {
  const places: Place[] = new Array(lifetimes.length);
  const arenas: Placed[][] = [];
  const totals: number[] = [];
  const sizes = lifetimes.map(({ bytes }) => Math.max(ALIGNMENT, roundUp(bytes, ALIGNMENT)));
  const order = lifetimes.map((_, i) => i).sort((a, b) => sizes[b]! - sizes[a]! || a - b);
  for (const i of order) {
    const { first, last } = lifetimes[i]!;
    const item = { first, last, bytes: sizes[i]! };
    let arena = 0;
    let offset = 0;
    for (; arena < arenas.length; ++arena) {
      offset = bestFit(arenas[arena]!, item);
      if (offset + item.bytes <= limit) break;
    }
    if (arena === arenas.length) {
      arenas.push([]);
      totals.push(0);
      offset = 0;
    }
    insertByOffset(arenas[arena]!, { ...item, offset });
    totals[arena] = Math.max(totals[arena]!, offset + item.bytes);
    places[i] = { arena, offset };
  }
  return { places, totals };
}
