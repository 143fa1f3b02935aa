import { checkTarget, typeName, type Data } from './dtype.js';
import { SubbyteError, isObject, quoted } from './errors.js';
import { productOf } from './inputs.js';
import { outputLabel } from './outputs.js';
import type { Plan, PlanOutput } from './plan.js';

/** What is known by name but not part of this version. */
const PLANNED = ['profile', 'tune', 'session', 'generate'];

/** The options that there are, and where nobody else looks at its value what that must be: its typeof or a method, and its name. */
export type Known = Readonly<Record<string, readonly [mark: string, what: string] | undefined>>;

/**
 * Checks that `options` is an object that has none but the options of `known`, as these want them; what is undefined counts as
 * absent, and null where it has no other meaning.
 */
export function checkOptions(call: string, options: unknown, known: Known): void {
  if (!isObject(options)) {
    throw new SubbyteError(
      'bad-option',
      `the options of ${call}() must be an object, not ${typeName(options)}`,
    );
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(known, name)) {
      const list = Object.keys(known)
        .filter((one) => one !== 'internal')
        .join(', ');
      const what = PLANNED.includes(name)
        ? `the option ${quoted(name)} is not supported by this version`
        : `there is no option ${quoted(name)}`;
      throw new SubbyteError('bad-option', `${call}: ${what}; there are ${list}`);
    }
    const [mark, what] = known[name] ?? [];
    if (!mark || value === null || typeof value === mark) continue;
    if ((value as Record<string, unknown>)[mark]) continue;
    throw new SubbyteError(
      'bad-option',
      `${call}({ ${name} }): ${name} must be ${what}, not ${typeName(value)}`,
    );
  }
}

/** The output of that name. */
function outputNamed(plan: Plan, option: string, name: unknown): PlanOutput {
  const output = plan.outputs.find((one) => one.name === name);
  if (output) return output;
  const names = plan.outputs.map((one) => quoted(one.name)).join(', ');
  throw new SubbyteError(
    'bad-output',
    `${option}: the model has no output ${quoted(String(name))}: it has ${names}`,
  );
}

/** What a run does with its outputs other than to return them in arrays of their own. */
export interface Destinations {
  /** The names of those that stay on the GPU. */
  keep: ReadonlySet<string>;
  /** By name, the caller's arrays. */
  into: ReadonlyMap<string, Data>;
}

function checkKeep(plan: Plan, keep: unknown): ReadonlySet<string> {
  if (!Array.isArray(keep)) {
    throw new SubbyteError('bad-option', 'run(inputs, { keep }): keep must be an array of names');
  }
  for (const name of keep as readonly unknown[]) outputNamed(plan, 'keep', name);
  return new Set(keep);
}

function overlap(a: Data, b: Data): boolean {
  return (
    a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength
  );
}

function checkInto(plan: Plan, into: unknown, keep: ReadonlySet<string>): Map<string, Data> {
  if (!isObject(into) || ArrayBuffer.isView(into)) {
    throw new SubbyteError(
      'bad-option',
      `run(inputs, { into }): into must be an object of typed arrays by name, not ${typeName(into)}`,
    );
  }
  const arrays = new Map<string, Data>();
  for (const [name, array] of Object.entries(into)) {
    if (array === undefined) continue;
    const spec = outputNamed(plan, 'into', name);
    if (keep.has(name)) {
      throw new SubbyteError('bad-option', `output ${quoted(name)} is named by both keep and into`);
    }
    const data = checkTarget(spec.dtype, array, `into: ${outputLabel(spec)}`);
    for (const [other, taken] of arrays) {
      if (!overlap(taken, data)) continue;
      throw new SubbyteError(
        'bad-option',
        `into: the arrays of outputs ${quoted(other)} and ${quoted(name)} overlap`,
      );
    }
    arrays.set(name, data);
  }
  return arrays;
}

/** Checks the options of `run`, but for the lengths of arrays, which the sizes of the inputs decide. */
export function checkRunOptions(plan: Plan, options: unknown): Destinations {
  if (options !== undefined) checkOptions('run', options, { keep: undefined, into: undefined });
  const { keep = [], into = {} } = (options ?? {}) as { keep?: unknown; into?: unknown };
  const names = checkKeep(plan, keep);
  return { keep: names, into: checkInto(plan, into, names) };
}

/** Checks that each array of the caller's has as many values as its output has. */
export function checkLengths(
  plan: Plan,
  into: ReadonlyMap<string, Data>,
  dims: readonly (readonly number[])[],
): void {
  plan.outputs.forEach(({ name }, i) => {
    const array = into.get(name);
    const count = productOf(dims[i]!);
    if (!array || array.length === count) return;
    throw new SubbyteError(
      'bad-shape',
      `into: output ${quoted(name)} has dims [${dims[i]!.join(', ')}], ${count} values, but the array has ${array.length}`,
    );
  });
}
