import { pack, type Place } from './arena.js';
import type { Device } from './device.js';
import { SubbyteError, quoted } from './errors.js';
import { chunkEntries, evaluate, evaluateChunk, valueAt } from './expr.js';
import {
  ALIGNMENT,
  COPY_DST,
  COPY_SRC,
  STORAGE,
  UNIFORM,
  bindingBytes,
  mebibytes,
  roundUp,
} from './gpu.js';
import { spanOf, stepRanges } from './layout.js';
import type { CompiledPipeline, Pipelines } from './pipelines.js';
import type { Plan, PlanStep } from './plan.js';
import type { Weights } from './weights.js';

/** What the sizes of the inputs decide without the GPU. */
export interface Sizes {
  symbols: readonly number[];
  values: Float64Array;
  /** The dims that each input must have. */
  inputs: number[][];
}

export interface Dispatch {
  pipeline: GPUComputePipeline;
  group: GPUBindGroup;
  x: number;
  y: number;
}

/** Everything that a run with given sizes replays. */
export interface Binding extends Sizes {
  arenas: GPUBuffer[];
  places: Place[];
  params: GPUBuffer | undefined;
  dispatches: Dispatch[];
  outputs: number[][];
  /** Of the arenas. */
  bytes: number;
  /** Rejects where the GPU refused the buffers: what the scopes of the run that made them caught. */
  made?: Promise<void>;
  /** Whether a run has ended well with it. */
  valid?: boolean;
}

/** One dispatch before there are buffers for it. */
interface Planned {
  step: PlanStep;
  pipeline: CompiledPipeline;
  range: number | undefined;
  params: number[];
  workgroups: number;
}

function dims(values: Float64Array, shape: readonly number[], what: string): number[] {
  return shape.map((index, axis) => {
    const dim = valueAt(values, index, `dimension ${axis} of ${what}`);
    if (dim < 0) {
      throw new SubbyteError(
        'bad-shape',
        `these input sizes give ${what} a negative size: dimension ${axis} would be ${dim}`,
      );
    }
    return dim;
  });
}

/** Evaluates the plan for given symbols; the dims of outputs and the constraints come with the binding. */
export function computeSizes(plan: Plan, symbols: readonly number[]): Sizes {
  const values = evaluate(plan.exprs, symbols);
  const inputs = plan.inputs.map(({ name, shape }) =>
    // A shape that would be negative matches no dims, and is reported as such.
    shape.map((index, axis) =>
      valueAt(values, index, `dimension ${axis} of input ${quoted(name)}`),
    ),
  );
  return { symbols, values, inputs };
}

export function checkConstraints(plan: Plan, sizes: Sizes): void {
  for (const { condition, message } of plan.constraints) {
    if (valueAt(sizes.values, condition, `a condition (${message})`) !== 0) continue;
    const named = plan.symbols.map(({ name }, i) => `${name} = ${sizes.symbols[i]}`).join(', ');
    throw new SubbyteError('bad-shape', `${message}${named && ` (${named})`}`);
  }
}

/** The dispatches of a step: one, or one for each chunk of a split weight's rows; none where there is no work. */
function planStep(
  plan: Plan,
  index: number,
  sizes: Sizes,
  pipelines: Pipelines,
  weights: Weights,
  entries: readonly number[],
): Planned[] {
  const step = plan.steps[index]!;
  const what = `the step ${quoted(step.name)}`;
  const { values } = sizes;
  const single = [{ range: undefined, rows: undefined }];
  const ranges = step.split
    ? stepRanges(
        weights.layout,
        step.split.weights,
        valueAt(values, step.split.rows, `rows of ${what}`),
      )
    : single;
  return ranges.flatMap(({ range, rows }) => {
    if (rows) evaluateChunk(plan.exprs, entries, values, sizes.symbols, rows.first, rows.rows);
    const form = pipelines.forms[index]!.find(
      ({ when }) => when === undefined || valueAt(values, when, `a condition of ${what}`) !== 0,
    );
    if (!form) {
      throw new SubbyteError('limits', `this device cannot run ${what} with these input sizes`);
    }
    const workgroups = valueAt(values, form.workgroups, `the size of ${what}`);
    if (workgroups <= 0) return [];
    const params = step.params.map((param) => valueAt(values, param, `a parameter of ${what}`));
    return [{ step, pipeline: pipelines.compiled[form.pipeline]!, range, params, workgroups }];
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

function packTensors(plan: Plan, values: Float64Array, device: Device) {
  const binding = device.limit('maxStorageBufferBindingSize');
  const buffer = device.limit('maxBufferSize');
  const lifetimes = plan.tensors.map(({ words, first, last }) => {
    const bytes = 4 * valueAt(values, words, 'the size of a tensor');
    if (bytes < 0) {
      throw new SubbyteError('bad-shape', 'these input sizes give a tensor a negative size');
    }
    if (bytes > Math.min(binding, buffer)) {
      throw new SubbyteError(
        'limits',
        `these input sizes need a tensor of ${mebibytes(bytes)}, but this device takes ${mebibytes(Math.min(binding, buffer))} at most: use smaller inputs`,
      );
    }
    return { bytes, first, last };
  });
  const packing = pack(lifetimes, buffer - (buffer % ALIGNMENT));
  return { ...packing, bytes: lifetimes.map((lifetime) => lifetime.bytes) };
}

function writeParams(gpu: GPUDevice, planned: readonly Planned[]) {
  const offsets: number[] = [];
  let size = 0;
  for (const { params, pipeline } of planned) {
    offsets.push(size);
    if (pipeline.params) size += roundUp(bindingBytes(4 * params.length), ALIGNMENT);
  }
  if (size === 0) return { buffer: undefined, offsets };
  const buffer = gpu.createBuffer({
    label: 'subbyte parameters',
    size,
    usage: UNIFORM | COPY_DST,
    mappedAtCreation: true,
  });
  const words = new Uint32Array(buffer.getMappedRange());
  planned.forEach(({ params, pipeline }, i) => {
    // Storing a number into a Uint32Array takes it modulo 2^32.
    if (pipeline.params) words.set(params, offsets[i]! / 4);
  });
  buffer.unmap();
  return { buffer, offsets };
}

/** Makes the buffers, bind groups and dispatches for given sizes. Synchronous: the caller has an error scope open. */
export function createBinding(
  plan: Plan,
  sizes: Sizes,
  device: Device,
  pipelines: Pipelines,
  weights: Weights,
): Binding {
  const { gpu } = device;
  const { values } = sizes;
  const outputs = plan.outputs.map(({ name, shape }) =>
    dims(values, shape, `output ${quoted(name)}`),
  );
  const { places, totals, bytes } = packTensors(plan, values, device);
  const entries = chunkEntries(plan.exprs);
  const planned = plan.steps.flatMap((_, index) =>
    planStep(plan, index, sizes, pipelines, weights, entries),
  );
  const most = device.limit('maxComputeWorkgroupsPerDimension');
  const grids = planned.map(({ workgroups, step }) => layOut(workgroups, most, step.name));

  const arenas = totals.map((size) =>
    gpu.createBuffer({ label: 'subbyte arena', size, usage: STORAGE | COPY_SRC | COPY_DST }),
  );
  const params = writeParams(gpu, planned);
  const dispatches = planned.map(({ step, pipeline, range, params: words }, i): Dispatch => {
    const resources: GPUBufferBinding[] = step.bindings.map((binding) => {
      if ('weight' in binding) {
        const cut = step.split?.weights.includes(binding.weight) ? range : undefined;
        const slice = spanOf(plan, weights.layout, binding.weight, binding.span ?? 1, cut);
        const buffer = weights.buffers[slice.region]!;
        return { buffer, offset: slice.offset, size: bindingBytes(slice.bytes) };
      }
      const { arena, offset } = places[binding.tensor]!;
      return { buffer: arenas[arena]!, offset, size: bindingBytes(bytes[binding.tensor]!) };
    });
    const list: GPUBindGroupEntry[] = resources.map((resource, b) => ({
      binding: b + 1,
      resource,
    }));
    if (pipeline.params) {
      const size = bindingBytes(4 * words.length);
      list.push({
        binding: 0,
        resource: { buffer: params.buffer!, offset: params.offsets[i]!, size },
      });
    }
    const group = gpu.createBindGroup({ label: step.name, layout: pipeline.layout, entries: list });
    return { pipeline: pipeline.pipeline, group, ...grids[i]! };
  });
  const total = totals.reduce((sum, size) => sum + size, 0);
  return { ...sizes, arenas, places, params: params.buffer, dispatches, outputs, bytes: total };
}

/** Frees a binding's buffers. Work already submitted still completes, as WebGPU has it. */
export function destroyBinding(binding: Binding): void {
  for (const buffer of binding.arenas) buffer.destroy();
  binding.params?.destroy();
}
