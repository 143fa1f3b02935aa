import { lossOr, type Device } from './device.js';
import { SubbyteError, messageOf } from './errors.js';
import { COMPUTE_STAGE, scoped, type Scope } from './gpu.js';
import type { ExprNode, Plan, PlanForm, PlanStep } from './plan.js';

export interface Pipelines {
  /** For each step the forms that this device runs. */
  forms: PlanForm[][];
  /** For each step what all its forms bind. */
  layouts: GPUBindGroupLayout[];
  /** Those that a form which this device runs names, by index into the plan's pipelines. */
  all: number[];
  /** By index into the plan's pipelines; undefined until it is compiled. */
  compiled: (GPUComputePipeline | undefined)[];
  /** Compiles a pipeline, once: a later call gives the outcome of the first. */
  need(index: number): Promise<void>;
}

function applies({ features, limits }: NonNullable<PlanStep['device']>, device: Device): boolean {
  return (
    (features ?? []).every((feature) => device.features.has(feature)) &&
    Object.entries(limits ?? {}).every(([name, least]) => device.limit(name) >= least)
  );
}

/** The forms of a step that may run on this device: those after one that always applies never do. None where there is no such step. */
export function usableForms(
  step: PlanStep,
  exprs: readonly ExprNode[],
  device: Device,
): PlanForm[] {
  const forms: PlanForm[] = [];
  if (!applies(step.device ?? {}, device)) return forms;
  for (const form of step.forms) {
    const when = form.when === undefined ? 1 : exprs[form.when];
    if (when === 0 || !applies(form, device)) continue;
    // Where an earlier form applies under the same condition, this one never runs.
    if (forms.some((earlier) => earlier.when === form.when)) continue;
    forms.push(form);
    if (typeof when === 'number') return forms;
  }
  const last = step.forms[step.forms.length - 1];
  const needs = JSON.stringify({ features: last?.features ?? [], limits: last?.limits ?? {} });
  throw new SubbyteError(
    'limits',
    `this device cannot run the step ${JSON.stringify(step.name)}: it lacks ${needs}`,
  );
}

function layoutEntries(bindings: string): GPUBindGroupLayoutEntry[] {
  let storage = 0;
  return [...bindings].map((kind) => {
    const type = kind === 'p' ? 'uniform' : kind === 't' ? 'storage' : 'read-only-storage';
    return {
      binding: kind === 'p' ? 0 : ++storage,
      visibility: COMPUTE_STAGE,
      buffer: { type },
    };
  });
}

async function explain(
  gpu: GPUDevice,
  module: GPUShaderModule,
  step: string,
  error: unknown,
  errors: Scope,
): Promise<unknown> {
  const messages: string[] = [];
  try {
    for (const { type, message, lineNum, linePos } of (await module.getCompilationInfo())
      .messages) {
      if (type === 'error') messages.push(`line ${lineNum}:${linePos}: ${message}`);
    }
  } catch {
    // A lost device gives no messages; the error below stands alone.
  }
  // Where the kernel is well, it is its layout that the device refuses.
  let reason = messages.join('; ') || (await errors.catch(() => undefined))?.message;
  if (!reason) {
    const cause = await lossOr(gpu, error);
    if (cause !== error) return cause;
    reason = messageOf(error);
  }
  return new SubbyteError(
    'compile',
    `the kernel of the step ${JSON.stringify(step)} does not compile on this device: ${reason}`,
    error,
  );
}

/** Compiles the plan's pipelines as they are asked for. */
export function createPipelines(plan: Plan, device: Device): Pipelines {
  const { gpu } = device;
  const forms = plan.steps.map((step) => usableForms(step, plan.exprs, device));
  const layoutOf = layoutCache(gpu);
  const layouts = plan.steps.map((step, i) => {
    const kinds = new Set(forms[i]!.map(({ pipeline }) => plan.pipelines[pipeline]!.bindings));
    const [bindings = ''] = kinds;
    if (kinds.size > 1 || (kinds.size > 0 && bindings.startsWith('p') !== step.params.length > 0)) {
      throw new SubbyteError(
        'internal',
        `the forms of the step ${JSON.stringify(step.name)} bind differently`,
      );
    }
    return layoutOf(bindings).group;
  });
  const stepOf = new Map<number, string>();
  forms.forEach((list, i) => {
    for (const { pipeline } of list) {
      if (!stepOf.has(pipeline)) stepOf.set(pipeline, plan.steps[i]!.name);
    }
  });
  const compiled: (GPUComputePipeline | undefined)[] = plan.pipelines.map(() => undefined);
  const started = new Map<number, Promise<void>>();

  const compile = (index: number): Promise<void> => {
    const step = stepOf.get(index)!;
    const { pieces, bindings } = plan.pipelines[index]!;
    // Errors of modules come again from the pipelines, with more to say; the scope keeps them from the page.
    const { result } = scoped(gpu, () => {
      const code = pieces.map((piece) => plan.pieces[piece]!).join('\n');
      const module = gpu.createShaderModule({ label: step, code });
      const { pipeline: layout, errors } = layoutOf(bindings);
      const compute = { module, entryPoint: 'main' };
      return gpu.createComputePipelineAsync({ label: step, layout, compute }).then(
        (pipeline) => {
          compiled[index] = pipeline;
        },
        async (error: unknown) => {
          throw await explain(gpu, module, step, error, errors);
        },
      );
    });
    // A failure is that of the runs that need the form.
    result.catch(() => {});
    return result;
  };
  return {
    forms,
    layouts,
    all: [...stepOf.keys()],
    compiled,
    need(index) {
      let promise = started.get(index);
      if (!promise) started.set(index, (promise = compile(index)));
      return promise;
    },
  };
}

interface Layouts {
  group: GPUBindGroupLayout;
  pipeline: GPUPipelineLayout;
  errors: Scope;
}

function layoutCache(gpu: GPUDevice): (bindings: string) => Layouts {
  const made = new Map<string, Layouts>();
  return (bindings) => {
    let layouts = made.get(bindings);
    if (!layouts) {
      const { result, errors } = scoped(gpu, () => {
        const group = gpu.createBindGroupLayout({ entries: layoutEntries(bindings) });
        return { group, pipeline: gpu.createPipelineLayout({ bindGroupLayouts: [group] }) };
      });
      errors.catch(() => {});
      made.set(bindings, (layouts = { ...result, errors }));
    }
    return layouts;
  };
}
