import { SubbyteError } from './errors.js';
import type { BinaryOp, ExprNode } from './plan.js';

/** Floor division and modulo with the signs of Python's `//` and `%`, exact within 2^53. */
export function floorMod(a: number, b: number): number {
  const r = a % b;
  return r !== 0 && r < 0 !== b < 0 ? r + b : r;
}

export function floorDiv(a: number, b: number): number {
  return (a - floorMod(a, b)) / b;
}

function binary(op: BinaryOp, a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return NaN;
  // Which of two numbers beyond 2^53 is the larger is not known.
  if (!Number.isFinite(a) && a === b) return op === 'min' || op === 'max' || op === '+' ? a : NaN;
  switch (op) {
    case '+':
      return a + b;
    case '*':
      return a * b;
    case '//':
      return floorDiv(a, b);
    case '%':
      return floorMod(a, b);
    case 'min':
      return Math.min(a, b);
    case 'max':
      return Math.max(a, b);
    case '==':
      return a === b ? 1 : 0;
    case '<':
      return a < b ? 1 : 0;
    default:
      throw new SubbyteError('internal', `the plan has an unknown operator: ${String(op)}`);
  }
}

/**
 * Evaluates an entry, all earlier ones being in `values`. What is beyond 2^53 is an infinity, with which a comparison or a
 * minimum (with the "to the end" of a slice, say) is still exact; what is not known (a division by zero) is NaN. Both
 * spread, but not from a branch of `?` that is not taken, and `valueAt` refuses them.
 */
function evaluateEntry(
  node: ExprNode,
  values: Float64Array,
  symbols: readonly number[],
  first: number,
  rows: number,
): number {
  if (typeof node === 'number') return node;
  switch (node[0]) {
    case 's':
      return symbols[node[1]]!;
    case 'first':
      return first;
    case 'rows':
      return rows;
    case '?': {
      const condition = values[node[1]]!;
      return Number.isNaN(condition) ? NaN : values[condition !== 0 ? node[2] : node[3]]!;
    }
    default:
      return binary(node[0], values[node[1]]!, values[node[2]]!);
  }
}

function exact(value: number): number {
  if (Number.isSafeInteger(value)) return value + 0; // adding 0 turns -0, which a size never is, into 0
  return Math.abs(value) > Number.MAX_SAFE_INTEGER ? value * Infinity : NaN;
}

/** All entries for given symbol values, outside of a split step: `first` is 0, `rows` unknown. */
export function evaluate(exprs: readonly ExprNode[], symbols: readonly number[]): Float64Array {
  const values = new Float64Array(exprs.length);
  for (let i = 0; i < exprs.length; ++i) {
    values[i] = exact(evaluateEntry(exprs[i]!, values, symbols, 0, NaN));
  }
  return values;
}

/** By entry, the symbols among `of` that its value depends on; undefined where it depends on none. */
export function symbolsIn(
  exprs: readonly ExprNode[],
  of: (symbol: number) => boolean,
): (ReadonlySet<number> | undefined)[] {
  const found: (ReadonlySet<number> | undefined)[] = [];
  for (const node of exprs) {
    if (typeof node === 'number') {
      found.push(undefined);
    } else if (node[0] === 's') {
      found.push(of(node[1]) ? new Set([node[1]]) : undefined);
    } else {
      const sets = node.slice(1).flatMap((operand) => found[operand as number] ?? []);
      const [first] = sets;
      const isOne = sets.every((set) => set === first);
      found.push(isOne ? first : new Set(sets.flatMap((set) => [...set])));
    }
  }
  return found;
}

/** The entries whose value depends on the chunk of a split step, in order. */
export function chunkEntries(exprs: readonly ExprNode[]): number[] {
  const depends = new Uint8Array(exprs.length);
  const entries: number[] = [];
  exprs.forEach((node, i) => {
    if (typeof node === 'number' || node[0] === 's') return;
    if (
      node[0] === 'first' ||
      node[0] === 'rows' ||
      node.slice(1).some((operand) => depends[operand as number])
    ) {
      depends[i] = 1;
      entries.push(i);
    }
  });
  return entries;
}

/** Evaluates `entries` again, in place, for the chunk of rows `first` .. `first + rows - 1`. */
export function evaluateChunk(
  exprs: readonly ExprNode[],
  entries: readonly number[],
  values: Float64Array,
  symbols: readonly number[],
  first: number,
  rows: number,
): void {
  for (const i of entries) {
    values[i] = exact(evaluateEntry(exprs[i]!, values, symbols, first, rows));
  }
}

/** The value of an entry; `what` names its use in the error where there is no exact value. */
export function valueAt(values: Float64Array, index: number, what: string): number {
  const value = values[index];
  if (value === undefined || !Number.isFinite(value)) {
    throw new SubbyteError(
      'out-of-range',
      `${what} cannot be computed for these input sizes: it exceeds 2^53 or divides by zero`,
    );
  }
  return value;
}
