import type { Device } from './device.js';
import { SubbyteError, quoted } from './errors.js';
import { evaluate, evaluateChunk, valueAt } from './expr.js';
import { mebibytes } from './gpu.js';
import type { Plan, PlanForm } from './plan.js';
import { widthOf } from './plan.js';
import { PARAM_BYTES, type Launch, type Program } from './program.js';
import { runningSteps } from './segments.js';

/** The dims of the inputs for given symbols, before anything else is computed from them. */
export interface Shapes {
  symbols: readonly number[];
  /** Of the plan's expressions. */
  values: Float64Array;
  /** The dims that each input must have. */
  inputs: number[][];
}

export interface Dispatch {
  /** Index into the program's launches. */
  launch: number;
  /** Index into the plan's pipelines. */
  pipeline: number;
  x: number;
  y: number;
}

/** A plan as a device runs it. */
export interface Compiled {
  plan: Plan;
  program: Program;
  pipelines: { forms: readonly PlanForm[][] };
  device: Device;
  /** Bytes that tensors had to have in runs before, where those were more than anything said when they began. */
  least: ReadonlyMap<number, number>;
}

/** All that the sizes of a run decide, and nothing that depends on memory. */
export interface Sizes extends Shapes {
  outputs: number[][];
  /** Bytes of each tensor. */
  bytes: number[];
  /** The uniform structs of all launches, as they lie in a parameter buffer. */
  params: Uint32Array<ArrayBuffer>;
  dispatches: Dispatch[];
}

/** The plan's expressions for given symbols, and with them the dims of the inputs. */
export function computeShapes(plan: Plan, symbols: readonly number[]): Shapes {
  const values = evaluate(plan.exprs, symbols);
  const inputs = plan.inputs.map(({ name, shape }) =>
    // A shape that would be negative matches no dims, and is reported as such.
    shape.map((index, axis) =>
      valueAt(values, index, `dimension ${axis} of input ${quoted(name)}`),
    ),
  );
  return { symbols, values, inputs };
}

/** Checks what must hold, as far as `isDue` says so of the counted symbols in it. */
export function checkConstraints(
  { plan, program }: Pick<Compiled, 'plan' | 'program'>,
  { values, symbols }: Pick<Shapes, 'values' | 'symbols'>,
  isDue: (counted: ReadonlySet<number> | undefined) => boolean,
): void {
  for (const { condition, message } of plan.constraints) {
    if (!isDue(program.counted[condition])) continue;
    if (valueAt(values, condition, `a condition (${message})`) !== 0) continue;
    const named = plan.symbols.map(({ name }, i) => `${name} = ${symbols[i]}`).join(', ');
    throw new SubbyteError('bad-shape', `${message}${named && ` (${named})`}`);
  }
}

/** A size that is not known yet may be anything; what is known is checked. */
function sizeAt({ program }: Compiled, values: Float64Array, index: number, what: string): number {
  if (program.counted[index] && !(values[index]! >= 0 && Number.isFinite(values[index]))) return 0;
  return valueAt(values, index, what);
}

function outputDims(compiled: Compiled, values: Float64Array): number[][] {
  return compiled.plan.outputs.map(({ name, shape }) =>
    shape.map((index, axis) => {
      const what = `output ${quoted(name)}`;
      const dim = sizeAt(compiled, values, index, `dimension ${axis} of ${what}`);
      if (dim < 0) {
        throw new SubbyteError(
          'bad-shape',
          `these input sizes give ${what} a negative size: dimension ${axis} would be ${dim}`,
        );
      }
      return dim;
    }),
  );
}

/** Bytes of each tensor. */
export function tensorBytes(compiled: Compiled, values: Float64Array): number[] {
  const { plan, device, least } = compiled;
  const most = Math.min(device.limit('maxStorageBufferBindingSize'), device.limit('maxBufferSize'));
  return plan.tensors.map((tensor, t) => {
    const bytes = widthOf(tensor) * sizeAt(compiled, values, tensor.count, 'the size of a tensor');
    if (bytes < 0) {
      throw new SubbyteError('bad-shape', 'these input sizes give a tensor a negative size');
    }
    if (bytes > most) {
      throw new SubbyteError(
        'limits',
        `these input sizes need a tensor of ${mebibytes(bytes)}, but this device takes ${mebibytes(most)} at most: use smaller inputs`,
      );
    }
    return Math.max(bytes, least.get(t) ?? 0);
  });
}

/** Lays a count of workgroups out as x * y, both within the limit, with few to spare. */
export function layOut(workgroups: number, limit: number, step: string): { x: number; y: number } {
  const y = Math.ceil(workgroups / limit);
  if (y > limit) {
    throw new SubbyteError(
      'limits',
      `the step ${quoted(step)} needs ${workgroups} workgroups for these input sizes, but this device takes ${limit * limit}`,
    );
  }
  return { x: Math.ceil(workgroups / y), y };
}

/** The dispatch of a launch, its parameters written into `params`; undefined where there is no work. */
function dispatchOf(
  plan: Plan,
  program: Program,
  { step, rows, params: struct }: Launch,
  forms: readonly PlanForm[],
  { values, symbols }: Shapes,
  params: Uint32Array,
): { pipeline: number; workgroups: number } | undefined {
  // The error's text is made for an error only: this is the hot part of a run of new sizes.
  const at = (index: number, part: string): number =>
    Number.isFinite(values[index])
      ? values[index]!
      : valueAt(values, index, `${part} of the step ${quoted(step.name)}`);
  if (step.split) {
    const chunk = rows ?? { first: 0, rows: at(step.split.rows, 'rows') };
    evaluateChunk(plan.exprs, program.chunkEntries, values, symbols, chunk.first, chunk.rows);
  }
  const form = forms.find(({ when }) => when === undefined || at(when, 'a condition') !== 0);
  if (!form) {
    throw new SubbyteError(
      'limits',
      `this device cannot run the step ${quoted(step.name)} with these input sizes`,
    );
  }
  const workgroups = at(form.workgroups, 'the size');
  if (workgroups <= 0) return undefined;
  step.params.forEach((param, i) => {
    // Storing a number into a Uint32Array takes it modulo 2^32.
    params[struct!.offset / PARAM_BYTES + i] = at(param, 'a parameter');
  });
  return { pipeline: form.pipeline, workgroups };
}

/** The dispatches of the steps that `runs` says, and the parameters of all that may be dispatched. */
export function dispatchesOf(
  { plan, program, pipelines, device }: Compiled,
  shapes: Shapes,
  runs: (step: number) => boolean,
): Pick<Sizes, 'params' | 'dispatches'> {
  const params = new Uint32Array(program.paramBytes / PARAM_BYTES);
  const most = device.limit('maxComputeWorkgroupsPerDimension');
  const dispatches: Dispatch[] = [];
  program.launches.forEach((launch, i) => {
    const { index, step } = launch;
    if (!runs(index)) return;
    const one = dispatchOf(plan, program, launch, pipelines.forms[index]!, shapes, params);
    if (!one) return;
    const grid = layOut(one.workgroups, most, step.name);
    dispatches.push({ launch: i, pipeline: one.pipeline, ...grid });
  });
  return { params, dispatches };
}

/** Computes all that the sizes decide. Throws where the model does not allow them, or the device has too small limits. */
export function computeSizes(compiled: Compiled, shapes: Shapes): Sizes {
  const { plan, program } = compiled;
  checkConstraints(compiled, shapes, (counted) => !counted);
  const outputs = outputDims(compiled, shapes.values);
  const bytes = tensorBytes(compiled, shapes.values);
  const runs = runningSteps(plan, shapes.values);
  const isRun = (step: number): boolean => runs(step) && program.isKnownAhead[step]!;
  return { ...shapes, outputs, bytes, ...dispatchesOf(compiled, shapes, isRun) };
}
