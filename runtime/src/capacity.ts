// How much memory an allocation has for each tensor, so that runs of many sizes share it.
import { pack, type Place } from './arena.js';
import { evaluate } from './expr.js';
import { ALIGNMENT, roundUp } from './gpu.js';
import { widthOf, type Plan } from './plan.js';

/** The memory of an allocation may exceed what the exact sizes take by this part of it. */
const WASTE = 1 / 4;
/** A tensor of more bytes than this may exceed its exact size by less: */
const LARGE_TENSOR = 64 * 1024 * 1024;
const LARGE_WASTE = 1 / 16;

/** Where the tensors of a run lie that are not in an arena: in buffers of their own, as inputs or as outputs. */
export interface Outside {
  has(tensor: number): boolean;
  /** Whether the buffer is made here, for the tensor's capacity. */
  isOurs(tensor: number): boolean;
  /** The same for runs that have the same tensors outside. */
  key: string;
}

export interface Capacities {
  /** Bytes of each tensor, whole units of alignment: what is bound. */
  bytes: number[];
  /** Undefined for what lies outside. */
  places: (Place | undefined)[];
  /** Bytes of each arena. */
  totals: number[];
}

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);

/** What an empty tensor takes too, since a binding may not be empty. */
export function alignedBytes(bytes: number): number {
  return Math.max(ALIGNMENT, roundUp(bytes, ALIGNMENT));
}

/** Packs the tensors that lie in arenas. */
function packInside(
  plan: Plan,
  bytes: readonly number[],
  outside: Outside,
  limit: number,
): Capacities {
  const inside = plan.tensors.map((_, t) => t).filter((t) => !outside.has(t));
  const lifetimes = inside.map((t) => ({ ...plan.tensors[t]!, bytes: bytes[t]! }));
  const packed = pack(lifetimes, limit - (limit % ALIGNMENT));
  const places: (Place | undefined)[] = plan.tensors.map(() => undefined);
  inside.forEach((t, i) => {
    places[t] = packed.places[i]!;
  });
  return { bytes: bytes.map(alignedBytes), places, totals: packed.totals };
}

/** The most bytes that are alive in one step: no packing takes fewer. */
function peakBytes(plan: Plan, bytes: readonly number[], outside: Outside): number {
  const change = new Float64Array(plan.steps.length + 3);
  plan.tensors.forEach(({ first, last }, t) => {
    if (outside.has(t)) return;
    const size = alignedBytes(bytes[t]!);
    change[first + 1]! += size;
    change[last + 2]! -= size;
  });
  let alive = 0;
  let peak = 0;
  for (const more of change) peak = Math.max(peak, (alive += more));
  return peak;
}

/** Whether each tensor fits, and none is far larger than it need be where that alone is too much. */
function tensorsFit(
  bytes: readonly number[],
  capacities: readonly number[],
  outside: Outside,
): boolean {
  return bytes.every((need, t) => {
    const ours = !outside.has(t) || outside.isOurs(t);
    if (!ours) return true;
    const capacity = capacities[t]!;
    const least = alignedBytes(need);
    if (capacity < least) return false;
    if (capacity > LARGE_TENSOR) return capacity <= least * (1 + LARGE_WASTE);
    return !outside.has(t) || capacity <= alignedBytes(need * (1 + WASTE));
  });
}

/** Whether runs that need `bytes` may use memory made for `capacities`: there is enough, and little is wasted. */
export function fits(
  plan: Plan,
  bytes: readonly number[],
  capacities: Capacities,
  outside: Outside,
  limit: number,
): boolean {
  if (bytes.some((_, t) => !capacities.places[t] && !outside.has(t))) return false;
  if (!tensorsFit(bytes, capacities.bytes, outside)) return false;
  const total = sum(capacities.totals);
  if (total <= peakBytes(plan, bytes, outside) * (1 + WASTE)) return true;
  return total <= sum(packInside(plan, bytes, outside, limit).totals) * (1 + WASTE);
}

/** Attempts to leave room until half of it is left. */
const ATTEMPTS = 4;

/**
 * Memory for a run that needs `bytes`, and for as many others as may share it: the sizes at larger symbols, as much larger as
 * the bound on what is wasted allows, all by the same part, so that sizes which grow together, as a cache and the cache with
 * what is new, outgrow it together. Symbols that are what they were in the run `before` stay: the room is for those that
 * change. Tensors need not grow with the symbols, so none is below its own need.
 */
export function chooseCapacities(
  plan: Plan,
  symbols: readonly number[],
  before: readonly number[],
  bytes: readonly number[],
  outside: Outside,
  limits: { binding: number; buffer: number },
): Capacities {
  const most = Math.min(limits.binding, limits.buffer);
  const exact = packInside(plan, bytes, outside, limits.buffer);
  const allowed = sum(exact.totals) * (1 + WASTE);
  let last = symbols;
  for (let attempt = 0; ; ++attempt) {
    const part = 2 ** (-attempt / ATTEMPTS);
    if (!symbols.some((symbol) => symbol * part >= 1)) return exact;
    const roomy = symbols.map((symbol, s) =>
      symbol > 0 && symbol !== before[s] ? symbol + Math.floor(symbol * part) : symbol,
    );
    if (roomy.every((symbol, s) => symbol === last[s])) continue;
    last = roomy;
    const values = evaluate(plan.exprs, roomy);
    const larger = plan.tensors.map((tensor, t) => {
      const size = widthOf(tensor) * values[tensor.count]!;
      return Number.isFinite(size) ? Math.max(bytes[t]!, size) : bytes[t]!;
    });
    if (larger.some((size) => size > most)) continue;
    if (!tensorsFit(bytes, larger.map(alignedBytes), outside)) continue;
    if (peakBytes(plan, larger, outside) > allowed) continue;
    const capacities = packInside(plan, larger, outside, limits.buffer);
    if (sum(capacities.totals) <= allowed) return capacities;
  }
}
