import type { Device } from './device.js';
import { SubbyteError, messageOf } from './errors.js';
import { COMPUTE_STAGE, scoped, type Scope } from './gpu.js';
import type { ExprNode, Plan, PlanForm, PlanStep } from './plan.js';

export interface CompiledPipeline {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
  /** Whether binding 0 is the parameters. */
  params: boolean;
}

export interface Pipelines {
  /** By index into the plan's pipelines; undefined where no form that this device runs uses it. */
  compiled: (CompiledPipeline | undefined)[];
  /** For each step the forms that this device runs. */
  forms: PlanForm[][];
}

function applies(form: PlanForm, device: Device): boolean {
  return (
    (form.features ?? []).every((feature) => device.features.has(feature)) &&
    Object.entries(form.limits ?? {}).every(([name, least]) => device.limit(name) >= least)
  );
}

/** The forms of a step that may run on this device: those after one that always applies never do. */
export function usableForms(
  step: PlanStep,
  exprs: readonly ExprNode[],
  device: Device,
): PlanForm[] {
  const forms: PlanForm[] = [];
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
  module: GPUShaderModule,
  step: string,
  error: unknown,
  errors: Scope,
): Promise<SubbyteError> {
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
  const reason = messages.join('; ') || (await errors)?.message || messageOf(error);
  return new SubbyteError(
    'compile',
    `the kernel of the step ${JSON.stringify(step)} does not compile on this device: ${reason}`,
    error,
  );
}

/** Compiles, all at once, each pipeline that a form which this device runs names. */
export async function compilePipelines(
  plan: Plan,
  device: Device,
  onProgress: (loaded: number, total: number) => void,
): Promise<Pipelines> {
  const { gpu } = device;
  const forms = plan.steps.map((step) => usableForms(step, plan.exprs, device));
  const stepOf = new Map<number, string>();
  forms.forEach((list, i) => {
    for (const { pipeline } of list) {
      if (!stepOf.has(pipeline)) stepOf.set(pipeline, plan.steps[i]!.name);
    }
  });
  let loaded = 0;
  const total = stepOf.size;
  const compiled: (CompiledPipeline | undefined)[] = plan.pipelines.map(() => undefined);

  // Errors of modules and layouts come again from the pipelines, with more to say; the scope keeps them from the page.
  const { result: pending, errors } = scoped(gpu, () => {
    const layouts = new Map<string, [GPUBindGroupLayout, GPUPipelineLayout]>();
    const modules = new Map<string, GPUShaderModule>();
    const layoutOf = (bindings: string): [GPUBindGroupLayout, GPUPipelineLayout] => {
      let layout = layouts.get(bindings);
      if (!layout) {
        const group = gpu.createBindGroupLayout({ entries: layoutEntries(bindings) });
        layout = [group, gpu.createPipelineLayout({ bindGroupLayouts: [group] })];
        layouts.set(bindings, layout);
      }
      return layout;
    };
    return [...stepOf].map(async ([index, step]) => {
      const { pieces, bindings } = plan.pipelines[index]!;
      const key = pieces.join();
      let module = modules.get(key);
      if (!module) {
        const code = pieces.map((piece) => plan.pieces[piece]!).join('\n');
        module = gpu.createShaderModule({ label: step, code });
        modules.set(key, module);
      }
      const [layout, pipelineLayout] = layoutOf(bindings);
      const pipeline = await gpu
        .createComputePipelineAsync({
          label: step,
          layout: pipelineLayout,
          compute: { module, entryPoint: 'main' },
        })
        .catch(async (error: unknown) => {
          throw await explain(module, step, error, errors);
        });
      compiled[index] = { pipeline, layout, params: bindings.startsWith('p') };
      onProgress(++loaded, total);
    });
  });
  await Promise.all(pending);
  return { compiled, forms };
}
