// Parts of a run: which of them run and how often, and after which of them symbols become known that the GPU computes.
import type { Allocation } from './allocation.js';
import type { Engine } from './engine.js';
import { valueAt } from './expr.js';
import type { Plan, PlanSegment } from './plan.js';

const stepsIn = ({ steps = 0, segments = [] }: PlanSegment): number =>
  segments.reduce((sum, inner) => sum + stepsIn(inner), steps);

/** The segments that run at load, with the first step of each. They stand on their own, not in others. */
export function onceSegments({ segments = [] }: Plan): { from: number; to: number }[] {
  let to = 0;
  return segments.flatMap((segment) => {
    const from = to;
    to += stepsIn(segment);
    return segment.once ? { from, to } : [];
  });
}

/** Whether a run goes from segment to segment: else it is known when it begins which of them it has. */
export function isWalked({ segments = [] }: { segments?: PlanSegment[] }): boolean {
  return segments.some(
    (segment) => segment.symbols ?? (segment.repeat !== undefined || isWalked(segment)),
  );
}

/** Tells of each step whether a run with these values has it, as far as they say. */
export function runningSteps(plan: Plan, values: Float64Array): (step: number) => boolean {
  const runs: boolean[] = [];
  const visit = (list: readonly PlanSegment[], inside: boolean): void => {
    for (const { when, once, steps = 0, segments = [] } of list) {
      const on = inside && !once && (when === undefined || values[when] !== 0);
      for (let i = 0; i < steps; ++i) runs.push(on);
      visit(segments, on);
    }
  };
  visit(plan.segments ?? [], true);
  return (step) => runs[step] ?? true;
}

/** What a walk needs of a run. */
export interface Walk {
  /** Of the plan's expressions, with all symbols that are known. */
  values: Float64Array;
  /** A turn is under way, or `isLast`, they are over, and it is how many there were. */
  bind(symbol: number, value: number, isLast: boolean): void;
  /** Runs the steps from `from` to before `to`, and reads back symbols where there are any to read. */
  run(from: number, to: number, symbols: readonly number[]): Promise<void>;
}

/** Runs segments, the first step of which is `from`, in turn. */
export async function walk(
  run: Walk,
  segments: readonly PlanSegment[],
  from: number,
): Promise<void> {
  for (const segment of segments) {
    const { when, repeat, turn, symbols = [] } = segment;
    const to = from + stepsIn(segment);
    const holds = (e: number | undefined): boolean =>
      e === undefined || valueAt(run.values, e, 'a condition') !== 0;
    if (!segment.once && holds(when)) {
      let most = repeat === undefined ? 1 : valueAt(run.values, repeat, 'a number of turns');
      for (let made = 0; ; ++made) {
        // After the last turn it is how many there were.
        if (turn !== undefined) run.bind(turn, made, made >= most);
        if (made >= most) break;
        if (segment.segments) await walk(run, segment.segments, from);
        await run.run(segment.segments ? to : from, to, symbols);
        if (!holds(segment.while)) most = 0;
      }
    }
    from = to;
  }
}

/** Thrown where a run finds that there is too little memory for what it has counted: it begins again, with more. */
export class Outgrown extends Error {}

/** Compares what tensors take when more is known with their memory, and notes what they must have. */
export function checkCapacities(
  engine: Engine,
  bytes: readonly number[],
  { capacities }: Allocation,
): void {
  const { least, device } = engine;
  const limit = device.limit('maxStorageBufferBindingSize');
  let isLarge = false;
  bytes.forEach((size, t) => {
    const capacity = capacities.bytes[t]!;
    if (size <= capacity) return;
    isLarge = true;
    // What grows from turn to turn must not outgrow its memory in each of them.
    least.set(t, Math.max(size, Math.min(2 * capacity, limit)));
  });
  if (!isLarge) return;
  engine.sizes.clear();
  throw new Outgrown();
}
