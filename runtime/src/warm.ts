// Which forms are compiled before `load` resolves, and which after it.
import { typeName } from './dtype.js';
import type { Engine } from './engine.js';
import { SubbyteError, quoted } from './errors.js';
import { chunkEntries, evaluate, evaluateChunk } from './expr.js';
import type { Pipelines } from './pipelines.js';
import { isCounted, type Plan } from './plan.js';

/** Sizes that are likely where nobody says any: one at a time, of a sentence, a line of text or a page. */
const LIKELY = { first: 1, sentence: 32, line: 320, page: 640 };

function badWarm(message: string): never {
  throw new SubbyteError('bad-option', `load({ warm }): ${message}`);
}

/** The sizes that `warm: { dims }` gives, by name. */
export function checkWarm(plan: Plan, warm: unknown): ReadonlyMap<string, number> {
  if (warm === undefined) return new Map();
  const isObject = (value: unknown): value is object =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject(warm)) badWarm(`an object { dims } is wanted, not ${typeName(warm)}`);
  const other = Object.keys(warm).find((key) => key !== 'dims');
  if (other !== undefined) badWarm(`there is no ${quoted(other)} in it; there is dims`);
  const { dims = {} } = warm as { dims?: unknown };
  if (!isObject(dims)) badWarm(`dims must be an object of numbers by name, not ${typeName(dims)}`);
  const names = plan.symbols.flatMap((symbol) =>
    isCounted(symbol) || symbol.axis === undefined ? [] : [symbol.name],
  );
  for (const [name, size] of Object.entries(dims)) {
    if (!names.includes(name)) {
      const list = [...new Set(names)].map(quoted).join(', ') || 'none';
      badWarm(`the model has no dim ${quoted(name)} of its inputs: it has ${list}`);
    }
    if (!Number.isSafeInteger(size) || (size as number) < 0) {
      badWarm(`dim ${quoted(name)} must be a whole number from 0 on, not ${String(size)}`);
    }
  }
  return new Map(Object.entries(dims));
}

/**
 * The values of the symbols that the first run is likely to have: those named, else 1 for a first axis, of an input of four
 * or more axes 320 where one other is open and 640 where several are, of any other input 32. A symbol that is a value
 * of an input, or that the run counts, counts as 1.
 */
export function likelySymbols(plan: Plan, named: ReadonlyMap<string, number>): number[] {
  return plan.symbols.map((symbol) => {
    if (isCounted(symbol)) return 1;
    const { name, input, axis } = symbol;
    const given =
      axis === undefined ? 1 : (named.get(name) ?? (axis === 0 ? LIKELY.first : undefined));
    if (given !== undefined) return given;
    const { dims } = plan.inputs[input]!;
    if (dims.length < 4) return LIKELY.sentence;
    const open = dims.slice(1).filter((dim) => typeof dim === 'string').length;
    return open > 1 ? LIKELY.page : LIKELY.line;
  });
}

/** The pipelines that a run with these symbols dispatches, as far as they are known without its weights and inputs. */
export function likelyPipelines(
  plan: Plan,
  pipelines: Pipelines,
  symbols: readonly number[],
): number[] {
  const values = evaluate(plan.exprs, symbols);
  const entries = chunkEntries(plan.exprs);
  const used = plan.steps.flatMap(({ split }, i) => {
    if (split) evaluateChunk(plan.exprs, entries, values, symbols, 0, values[split.rows]!);
    const forms = pipelines.forms[i]!;
    const holds = (when: number): boolean => Number.isFinite(values[when]) && values[when] !== 0;
    const form =
      forms.find(({ when }) => when === undefined || holds(when)) ?? forms[forms.length - 1];
    // A step without work, as those that others stand in for, is not dispatched.
    return !form || values[form.workgroups] === 0 ? [] : [form.pipeline];
  });
  return [...new Set(used)];
}

/** Lets other work go first, and a program of Node's end that has none. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    const timer: unknown = setTimeout(resolve, 0);
    (timer as { unref?: () => void }).unref?.();
  });
}

/** Compiles, one after the other so that a form which a run waits for is not held up, what nobody has asked for yet. */
export async function compileRest(engine: Engine): Promise<void> {
  const { pipelines } = engine;
  for (const index of pipelines.all) {
    await pause();
    if (engine.disposed || engine.lost) return;
    // A failure is that of the run that needs the form.
    await pipelines.need(index).catch(() => {});
  }
}
