import { SubbyteError, quoted } from './errors.js';
import { ALIGNMENT, mebibytes, roundUp } from './gpu.js';
import type { Plan, PlanWeight } from './plan.js';

/** Bytes `start` .. `end - 1` of a file, which one GPU buffer holds. */
export interface Region {
  file: number;
  start: number;
  end: number;
}

/** Where a part, or a chunk of its rows, lies. */
export interface Slice {
  region: number;
  /** From the start of the region. */
  offset: number;
  bytes: number;
}

/** Rows `first` .. `first + rows - 1` of each weight that a split step lists. */
export interface RowRange {
  first: number;
  rows: number;
}

export interface Layout {
  regions: Region[];
  /** For each weight: one slice, or one for each of its row ranges. */
  slices: Slice[][];
  /** For each weight its row ranges; undefined where it is whole. */
  ranges: (RowRange[] | undefined)[];
  /** The most bytes of one binding. */
  limit: number;
}

export interface LayoutLimits {
  /** The most bytes of one binding. */
  binding: number;
  /** The most bytes of one buffer. */
  buffer: number;
}

/** Split steps cut in multiples of this many rows, so that a chunk's bytes start aligned. */
const ROW_MULTIPLE = 256;
/** Buffers are not made larger than this where nothing needs it: large ones are harder to place. */
const PREFERRED_REGION = 256 * 1024 * 1024;

/** Sets of weights that split steps cut at the same rows: those listed together, directly or through another step. */
function splitSets(plan: Plan): number[][] {
  const parent = plan.weights.map((_, i) => i);
  const root = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]!]!;
    return i;
  };
  const listed = new Set<number>();
  for (const { split } of plan.steps) {
    for (const weight of split?.weights ?? []) {
      listed.add(weight);
      parent[root(weight)] = root(split!.weights[0]!);
    }
  }
  const sets = new Map<number, number[]>();
  for (const weight of listed) {
    const set = sets.get(root(weight));
    if (set) set.push(weight);
    else sets.set(root(weight), [weight]);
  }
  return [...sets.values()];
}

function tooLarge(plan: Plan, index: number, limit: number): SubbyteError {
  const weight = plan.weights[index]!;
  const file = plan.files[weight.file]!;
  return new SubbyteError(
    'limits',
    `a weight of ${mebibytes(weight.bytes)} (at byte ${weight.offset} of ${quoted(file.name)}) cannot be bound: this device takes ${mebibytes(limit)} at most, and this weight cannot be split further`,
  );
}

/** The row ranges of each weight that is too large for one binding, or is cut along with one that is. */
function rowRanges(plan: Plan, limit: number): (RowRange[] | undefined)[] {
  const ranges: (RowRange[] | undefined)[] = plan.weights.map(() => undefined);
  for (const set of splitSets(plan)) {
    const largest = set.find((i) => plan.weights[i]!.bytes > limit);
    if (largest === undefined) continue;
    const rows = plan.weights[set[0]!]!.rows ?? 0;
    let chunk = rows;
    for (const i of set) {
      const weight = plan.weights[i]!;
      if (!weight.rows || !weight.row_stride || weight.rows !== rows) {
        throw tooLarge(plan, largest, limit);
      }
      chunk = Math.min(chunk, Math.floor(limit / weight.row_stride));
    }
    chunk -= chunk % ROW_MULTIPLE;
    if (chunk === 0) throw tooLarge(plan, largest, limit);
    const list: RowRange[] = [];
    for (let first = 0; first < rows; first += chunk) {
      list.push({ first, rows: Math.min(chunk, rows - first) });
    }
    for (const i of set) ranges[i] = list;
  }
  plan.weights.forEach((weight, i) => {
    if (weight.bytes > limit && !ranges[i]) throw tooLarge(plan, i, limit);
  });
  return ranges;
}

/** The bytes of a range of a weight's rows, relative to the weight. */
function rangeBytes(weight: PlanWeight, range: RowRange): { start: number; end: number } {
  const stride = weight.row_stride!;
  const start = range.first * stride;
  const last = range.first + range.rows === weight.rows;
  return { start, end: last ? weight.bytes : start + range.rows * stride };
}

/** Runs of parts to keep in one buffer: those joined, or the chunks of one, as [start, end) in their file. */
function units(
  plan: Plan,
  ranges: (RowRange[] | undefined)[],
  limit: number,
): { file: number; start: number; end: number }[] {
  const list: { file: number; start: number; end: number }[] = [];
  for (let i = 0; i < plan.weights.length;) {
    let next = i + 1;
    while (plan.weights[next]?.joined && plan.weights[next]!.file === plan.weights[i]!.file) ++next;
    const last = plan.weights[next - 1]!;
    const { file, offset: start } = plan.weights[i]!;
    const end = last.offset + last.bytes;
    if (end - start <= limit) {
      list.push({ file, start, end });
      i = next;
      continue;
    }
    for (; i < next; ++i) {
      const weight = plan.weights[i]!;
      const parts = ranges[i]?.map((range) => rangeBytes(weight, range));
      for (const part of parts ?? [{ start: 0, end: weight.bytes }]) {
        list.push({ file, start: weight.offset + part.start, end: weight.offset + part.end });
      }
    }
  }
  return list;
}

/** The bytes to bind for `span` weights from `index` on, whole or one of its row ranges, within one region. */
export function spanOf(
  plan: Plan,
  layout: Layout,
  index: number,
  span: number,
  range: number | undefined,
): Slice {
  const end = index + span - 1;
  const first = layout.slices[index]![range ?? 0]!;
  const last = layout.slices[end]![range ?? 0]!;
  const cut = layout.ranges.slice(index, end + 1).some((ranges) => ranges !== undefined);
  const { offset, file } = plan.weights[index]!;
  const bytes = plan.weights[end]!.offset + plan.weights[end]!.bytes - offset;
  const apart = first.region !== last.region || (span > 1 && bytes > layout.limit);
  if (apart || (cut && (range === undefined || span > 1))) {
    throw new SubbyteError(
      'limits',
      `weights of ${mebibytes(bytes)} (at byte ${offset} of ${quoted(plan.files[file]!.name)}) must be bound together, which this device does not allow`,
    );
  }
  return { ...first, bytes: last.offset + last.bytes - first.offset };
}

/** Throws where a step binds weights that this layout cannot give it, so that a run need not. */
function checkBindings(plan: Plan, layout: Layout): void {
  for (const { bindings, split } of plan.steps) {
    for (const binding of bindings) {
      if (!('weight' in binding)) continue;
      const cut = split?.weights.includes(binding.weight) && layout.ranges[binding.weight];
      spanOf(plan, layout, binding.weight, binding.span ?? 1, cut ? 0 : undefined);
    }
  }
}

/** Decides which bytes of the files go into which GPU buffer, and where each weight lies in them. */
export function layoutWeights(plan: Plan, limits: LayoutLimits): Layout {
  const limit = Math.min(limits.binding, limits.buffer);
  const ranges = rowRanges(plan, limit);
  const regions: Region[] = [];
  for (const unit of units(plan, ranges, limit)) {
    const region = regions[regions.length - 1];
    if (
      region?.file === unit.file &&
      roundUp(unit.end - region.start, ALIGNMENT) <= Math.min(limits.buffer, PREFERRED_REGION)
    ) {
      region.end = unit.end;
    } else {
      regions.push({ ...unit });
    }
  }
  const find = (file: number, start: number, bytes: number): Slice => {
    const region = regions.findIndex(
      (r) => r.file === file && r.start <= start && start + bytes <= r.end,
    );
    // A weight without values may lie where its buffer ends; it is bound, but nothing of it is read.
    return { region, offset: bytes === 0 ? 0 : start - regions[region]!.start, bytes };
  };
  const slices = plan.weights.map((weight, i) =>
    (ranges[i]?.map((range) => rangeBytes(weight, range)) ?? [{ start: 0, end: weight.bytes }]).map(
      (part) => find(weight.file, weight.offset + part.start, part.end - part.start),
    ),
  );
  const layout = { regions, slices, ranges, limit };
  checkBindings(plan, layout);
  return layout;
}
