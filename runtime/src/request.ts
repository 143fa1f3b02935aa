// What a run was given, checked, and what of its outputs is known without the GPU.
import { encode, decode, fromNumbers, type Data } from './dtype.js';
import { sizesFor, type Engine } from './engine.js';
import { valueAt } from './expr.js';
import { bindCounted, bindSymbols, checkInputs, labelOf, productOf, type Given } from './inputs.js';
import { checkLengths, checkRunOptions, type Destinations } from './options.js';
import { outputLabel } from './outputs.js';
import { portWidth, type Plan, type PlanOutput } from './plan.js';
import { isWalked } from './segments.js';
import type { Sizes } from './sizes.js';
import type { RunOptions } from './types.js';

/** What a run reads and writes, checked, before there is memory for it. */
export interface Request extends Destinations {
  sizes: Sizes;
  given: readonly Given[];
  /** The bytes of the inputs that are on the CPU and that a step reads. */
  encoded: readonly (Uint8Array<ArrayBuffer> | undefined)[];
  /** By output: the values that are known without the GPU, and the bytes of those that are kept. */
  onCpu: readonly (Data | undefined)[];
  keptBytes: readonly (Uint8Array<ArrayBuffer> | undefined)[];
}

/** What of an output is known on the CPU: computed sizes, and inputs passed through. */
function cpuData(
  spec: PlanOutput,
  dims: readonly number[],
  sizes: Sizes,
  given: readonly Given[],
): Data | undefined {
  if (spec.content) {
    const label = outputLabel(spec);
    const values = spec.content.map((value) =>
      typeof value === 'string'
        ? BigInt(value)
        : valueAt(sizes.values, value, `a value of ${label}`),
    );
    return fromNumbers(spec.dtype, values, label);
  }
  if (productOf(dims) === 0) return decode(spec.dtype, new ArrayBuffer(0));
  return spec.input === undefined ? undefined : given[spec.input]!.data;
}

/** Checks all that `run` was given: what may fail for these values does before anything is written. */
export function requestOf(
  engine: Engine,
  inputs: unknown,
  options: RunOptions | undefined,
): Request {
  const { plan } = engine;
  const destinations = checkRunOptions(plan, options);
  const given = checkInputs(plan, inputs);
  const sizes = sizesFor(engine, bindSymbols(plan, given), given);
  if (!isWalked(plan)) checkLengths(plan, destinations.into, sizes.outputs);
  const encoded = given.map(({ spec, data, width }) =>
    data && spec.tensor !== undefined ? encode(spec.dtype, data, labelOf(spec), width) : undefined,
  );
  return {
    ...destinations,
    sizes,
    given,
    encoded,
    ...knownOutputs(plan, sizes, given, destinations),
  };
}

/** What is known of the outputs without the GPU. */
function knownOutputs(plan: Plan, sizes: Sizes, given: readonly Given[], { keep }: Destinations) {
  const onCpu = plan.outputs.map((spec, i) => cpuData(spec, sizes.outputs[i]!, sizes, given));
  const keptBytes = plan.outputs.map((spec, i) =>
    keep.has(spec.name) && onCpu[i]
      ? encode(spec.dtype, onCpu[i]!, outputLabel(spec), portWidth(plan, spec))
      : undefined,
  );
  return { onCpu, keptBytes };
}

/** The same request when more has been counted. What inputs hold is what they held when the run began. */
export function withCounts(
  engine: Engine,
  request: Request,
  counted: ReadonlyMap<number, number>,
): Request {
  const { plan } = engine;
  const { given } = request;
  const sizes = sizesFor(engine, bindCounted(plan, request.sizes.symbols, counted), given);
  const known = knownOutputs(plan, sizes, given, request);
  const onCpu = known.onCpu.map((data, i) =>
    plan.outputs[i]!.input === undefined ? data : request.onCpu[i],
  );
  return { ...request, sizes, ...known, onCpu };
}
