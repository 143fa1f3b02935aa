import { chunkEntries, symbolsIn } from './expr.js';
import { ALIGNMENT, bindingBytes, roundUp } from './gpu.js';
import type { Layout, RowRange } from './layout.js';
import { isCounted, type Plan, type PlanForm, type PlanStep } from './plan.js';

/** Bytes of a parameter in a uniform struct. */
export const PARAM_BYTES = 4;

/** What is dispatched at most once in a run: a step, or a step for one chunk of the rows of a weight that it splits. */
export interface Launch {
  step: PlanStep;
  /** The step's index in the plan. */
  index: number;
  /** Which chunk; undefined where the step's weights are whole. */
  range: number | undefined;
  rows: RowRange | undefined;
  /** The uniform struct within the parameter buffer; undefined where the step has no parameters. */
  params: { offset: number; bytes: number } | undefined;
  /** What the step binds of inputs and outputs: tensors that may lie outside of the arenas. */
  ports: number[];
}

/** The plan's steps as this device runs them, whatever the sizes: the one walk over them. */
export interface Program {
  launches: Launch[];
  /** Bytes of the parameters of all launches. */
  paramBytes: number;
  /** The expressions that depend on the chunk. */
  chunkEntries: number[];
  /** By expression: the symbols in it that are known only while a run is under way; undefined where there are none. */
  counted: (ReadonlySet<number> | undefined)[];
  /** By step: whether all that decides what it dispatches is known when a run begins. */
  isKnownAhead: boolean[];
}

function isKnown(counted: Program['counted'], { params, split, forms }: PlanStep): boolean {
  const sizes = forms.flatMap(({ when, workgroups }) => [when, workgroups]);
  return [...params, split?.rows, ...sizes].every((entry) => !counted[entry!]);
}

export function programOf(plan: Plan, layout: Layout, forms: readonly PlanForm[][]): Program {
  const launches: Launch[] = [];
  const outer = new Set([...plan.inputs, ...plan.outputs].map(({ tensor }) => tensor));
  const counted = symbolsIn(plan.exprs, (symbol) => isCounted(plan.symbols[symbol]!));
  let paramBytes = 0;
  plan.steps.forEach((step, index) => {
    if (forms[index]!.length === 0) return;
    const ports = step.bindings.flatMap((binding) =>
      'tensor' in binding && outer.has(binding.tensor) ? binding.tensor : [],
    );
    const ranges = layout.ranges[step.split?.weights[0] ?? -1];
    for (const [range, rows] of ranges?.entries() ?? [[undefined, undefined]]) {
      let params: Launch['params'];
      if (step.params.length > 0) {
        const bytes = bindingBytes(PARAM_BYTES * step.params.length);
        params = { offset: paramBytes, bytes };
        paramBytes += roundUp(bytes, ALIGNMENT);
      }
      launches.push({ step, index, range, rows, params, ports });
    }
  });
  return {
    launches,
    paramBytes,
    chunkEntries: chunkEntries(plan.exprs),
    counted,
    isKnownAhead: plan.steps.map((step) => isKnown(counted, step)),
  };
}
