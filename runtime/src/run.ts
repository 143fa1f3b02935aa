import { arenaSlot, type Allocation, type Slot } from './allocation.js';
import { copyExact, decode, encode, fromNumbers, type Data } from './dtype.js';
import { encodePass, piecesOf } from './encode.js';
import {
  allocationFor,
  assertUsable,
  dropAllocation,
  guarded,
  sizesFor,
  type Engine,
} from './engine.js';
import { valueAt } from './expr.js';
import { bindingBytes, copyBytes } from './gpu.js';
import { bindSymbols, checkInputs, labelOf, productOf, type Given } from './inputs.js';
import { checkLengths, checkRunOptions, type Destinations } from './options.js';
import {
  allSettled,
  encodeReadback,
  keptTensor,
  knownBuffers,
  outputLabel,
  planReadback,
  readStaging,
  takeData,
  type Readback,
  type Wanted,
} from './outputs.js';
import { WORD, portWidth, type CountedSymbol, type Plan, type PlanOutput } from './plan.js';
import { checkCapacities, segmentsOf, type Segment } from './segments.js';
import type { Sizes } from './sizes.js';
import { slotIn, slotsOf, type Slots } from './slots.js';
import { prepareRounds } from './states.js';
import type { GpuTensor } from './tensor.js';
import type { RunOptions, Tensor } from './types.js';
import { detachInputs, planUploads, writeInputs, type Upload } from './uploads.js';
import { FLAG, checkFlag, clearFlag, wantedFlag } from './watch.js';

export type Outputs = Record<string, Tensor | GpuTensor>;

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

/** The buffers of a run. */
interface Job {
  allocation: Allocation;
  slots: Slots;
  /** By tensor, where it lies if not in an arena. */
  outside: Map<number, Slot>;
  uploads: Upload[];
  /** By output. */
  kept: (GPUBuffer | undefined)[];
  /** Of the kept ones, those that no step writes into. */
  copies: { output: number; buffer: GPUBuffer }[];
  readbacks: Readback[];
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
function requestOf(engine: Engine, inputs: unknown, options: RunOptions | undefined): Request {
  const { plan } = engine;
  const destinations = checkRunOptions(plan, options);
  const given = checkInputs(plan, inputs);
  const sizes = sizesFor(engine, bindSymbols(plan, given), given);
  if (!plan.segments) checkLengths(plan, destinations.into, sizes.outputs);
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
function withCounts(
  engine: Engine,
  request: Request,
  counted: ReadonlyMap<number, number>,
): Request {
  const { plan } = engine;
  const { given } = request;
  const sizes = sizesFor(engine, bindSymbols(plan, given, counted), given);
  const known = knownOutputs(plan, sizes, given, request);
  const onCpu = known.onCpu.map((data, i) =>
    plan.outputs[i]!.input === undefined ? data : request.onCpu[i],
  );
  return { ...request, sizes, ...known, onCpu };
}

/** Where the values of an output are that the GPU has. */
function sourceOf(engine: Engine, request: Request, job: Job, spec: PlanOutput): Slot {
  if (spec.input !== undefined) {
    const { gpu, count, width } = request.given[spec.input]!;
    return { ...gpu!, size: width * count };
  }
  const tensor = spec.tensor!;
  return job.outside.get(tensor) ?? arenaSlot(job.allocation, tensor, engine.device);
}

function outputBytes(engine: Engine, { sizes }: Request, output: number): number {
  return portWidth(engine.plan, engine.plan.outputs[output]!) * productOf(sizes.outputs[output]!);
}

/** Finds or makes the buffers of a run. */
function prepare(engine: Engine, request: Request): Job {
  const { plan } = engine;
  const { sizes, given, keep, keptBytes } = request;
  const slots = slotsOf(engine, given, sizes, keep);
  const allocation = allocationFor(engine, sizes, slots);
  const outside = new Map(slots.inputs);
  const job: Job = {
    allocation,
    slots,
    outside,
    uploads: planUploads(engine, request, allocation),
    kept: [],
    copies: [],
    readbacks: [],
  };
  plan.outputs.forEach(({ name, tensor }, i) => {
    if (!keep.has(name)) return;
    const least = bindingBytes(outputBytes(engine, request, i));
    const capacity = tensor === undefined ? undefined : allocation.capacities.bytes[tensor]!;
    if (tensor !== undefined && slots.outputs.get(tensor) === i) {
      const buffer = engine.kept[i]!.take(capacity!, capacity);
      outside.set(tensor, slotIn(engine, buffer));
      job.kept[i] = buffer;
      return;
    }
    const buffer = (job.kept[i] = engine.kept[i]!.take(least, capacity));
    if (!keptBytes[i]) job.copies.push({ output: i, buffer });
  });
  return job;
}

/** Plans what is read back of the outputs. */
function planOutputs(engine: Engine, request: Request, job: Job): void {
  const { keep, onCpu } = request;
  const { allocation } = job;
  const wanted = engine.plan.outputs.flatMap((spec, output): Wanted[] => {
    if (keep.has(spec.name) || onCpu[output]) return [];
    const bytes = outputBytes(engine, request, output);
    const source = sourceOf(engine, request, job, spec);
    const capacity = spec.tensor === undefined ? bytes : allocation.capacities.bytes[spec.tensor]!;
    return [{ output, source, bytes, capacity }];
  });
  job.readbacks = planReadback(engine, [...wantedFlag(engine, allocation), ...wanted]);
}

function poison(engine: Engine, { given }: Request, { allocation, kept }: Job): void {
  const read = new Set(given.map(({ gpu }) => gpu?.buffer));
  for (const buffer of [...allocation.arenas, ...kept]) {
    if (!buffer || read.has(buffer)) continue;
    const words = new Uint32Array(buffer.size / 4).fill(0x7fc0dead);
    engine.device.gpu.queue.writeBuffer(buffer, 0, words);
  }
}

/**
 * Writes what comes from the CPU, and encodes and submits a segment of a run piece by piece; nothing is awaited. With the
 * last one `readbacks` are the outputs', with any other the symbols'.
 */
function submit(
  engine: Engine,
  request: Request,
  job: Job,
  { dispatches: all, isFirst, isLast }: Segment,
  readbacks: readonly Readback[],
): void {
  const { gpu } = engine.device;
  const { sizes, keptBytes } = request;
  const { allocation, outside } = job;
  if (engine.poison && isFirst) poison(engine, request, job);
  if (allocation.params && allocation.written !== sizes) {
    gpu.queue.writeBuffer(allocation.params, 0, sizes.params);
    allocation.written = sizes;
  }
  keptBytes.forEach((bytes, i) => {
    if (isLast && bytes && bytes.length > 0) gpu.queue.writeBuffer(job.kept[i]!, 0, bytes);
  });
  const pieces = piecesOf(all);
  pieces.forEach((dispatches, piece) => {
    const encoder = gpu.createCommandEncoder({ label: 'subbyte run' });
    if (isFirst && piece === 0) {
      writeInputs(engine, request, job, encoder);
      clearFlag(engine, encoder, allocation);
    }
    encodePass(engine, encoder, allocation, outside, dispatches);
    if (piece === pieces.length - 1) {
      for (const { output, buffer } of isLast ? job.copies : []) {
        const source = sourceOf(engine, request, job, engine.plan.outputs[output]!);
        const bytes = outputBytes(engine, request, output);
        encoder.copyBufferToBuffer(source.buffer, source.offset, buffer, 0, copyBytes(bytes));
      }
      for (const readback of readbacks) encodeReadback(encoder, readback);
    }
    gpu.queue.submit([encoder.finish()]);
    if (isFirst && piece === 0) for (const { giveBack } of job.uploads) giveBack();
  });
}

/** The outputs of a run that has been submitted, and what fills in those that are read back. */
function collect(engine: Engine, request: Request, job: Job) {
  const { plan } = engine;
  const { sizes, keep, into, onCpu } = request;
  const outputs = new Map<string, Tensor | GpuTensor>();
  plan.outputs.forEach((spec, i) => {
    const dims = [...sizes.outputs[i]!];
    const { name, dtype } = spec;
    if (keep.has(name)) {
      const bytes = outputBytes(engine, request, i);
      const width = portWidth(plan, spec);
      outputs.set(name, keptTensor(engine, i, job.kept[i]!, dims, bytes, width));
      return;
    }
    // Every name has its place at once, so that the order is the model's.
    const data = onCpu[i] ? copyExact(dtype, onCpu[i]!) : new Float32Array(0);
    outputs.set(name, { data, dims, dtype });
  });
  // Only now that all are copied: the caller's arrays may be those that another output comes from.
  plan.outputs.forEach(({ name }, i) => {
    const target = into.get(name);
    if (!target || !onCpu[i]) return;
    const tensor = outputs.get(name) as Tensor;
    (target.set as (values: Data) => void).call(target, tensor.data);
    tensor.data = target;
  });
  const pending = job.readbacks.map((readback) =>
    readStaging(engine, readback, (output, mapped, offset, bytes) => {
      if (output === FLAG) return checkFlag(engine, mapped, offset);
      const spec = plan.outputs[output]!;
      const target = into.get(spec.name);
      const width = portWidth(plan, spec);
      const data = takeData(spec, width, mapped, offset, bytes, target);
      (outputs.get(spec.name) as Tensor).data = data;
    }),
  );
  return { outputs, pending };
}

/** All buffers of a run that the runtime made. */
function buffersOf({ allocation, uploads, kept, readbacks }: Job): GPUBuffer[] {
  return [
    ...allocation.arenas,
    ...(allocation.params ? [allocation.params] : []),
    ...uploads.map(({ staging }) => staging),
    ...kept.filter((buffer) => buffer !== undefined),
    ...readbacks.map(({ staging }) => staging),
  ];
}

/** Submits the last segment; where it made bind groups, it also makes those that its states will need. */
function submitLast(
  engine: Engine,
  request: Request,
  job: Job,
  segment: Segment,
): Promise<void> | undefined {
  const { allocation, slots, outside } = job;
  const made = allocation.groupsMade;
  submit(engine, request, job, segment, job.readbacks);
  if (allocation.groupsMade === made) return undefined;
  return prepareRounds(engine, request.sizes, slots, allocation, outside).catch(() =>
    dropAllocation(engine, allocation),
  );
}

/** Whether buffers are the user's: errors come from those, and from new buffers. */
function hasForeign(engine: Engine, { given }: Request): boolean {
  return given.some(({ gpu }) => gpu && knownBuffers.get(gpu.buffer) !== engine.device.gpu);
}

/** Runs a segment and reads what it counts into `counted`. */
async function count(
  engine: Engine,
  request: Request,
  job: Job,
  segment: Segment,
  counted: Map<number, number>,
): Promise<void> {
  const wanted = segment.symbols.map((symbol): Wanted => {
    const { tensor } = engine.plan.symbols[symbol] as CountedSymbol;
    const source = arenaSlot(job.allocation, tensor, engine.device);
    return { output: symbol, source, bytes: WORD, capacity: WORD };
  });
  const readbacks = planReadback(engine, wanted);
  const buffers = [...buffersOf(job), ...readbacks.map(({ staging }) => staging)];
  const { result, checks } = engine.memory.checked(buffers, hasForeign(engine, request), () => {
    submit(engine, request, job, segment, readbacks);
    return readbacks.map((readback) =>
      readStaging(engine, readback, (symbol, mapped, offset) => {
        counted.set(symbol, new DataView(mapped).getUint32(offset, true));
      }),
    );
  });
  await allSettled([checks.catch((error: unknown) => refuse(engine, job, error)), ...result]);
}

/** Runs all segments but the last. The request with the sizes that they count, for which the memory of the job is enough. */
async function countAll(engine: Engine, request: Request, job: Job): Promise<Request> {
  const { plan } = engine;
  const counted = new Map<number, number>();
  let current = request;
  for (let s = 0; s + 1 < plan.segments!.length; ++s) {
    await count(engine, current, job, segmentsOf(engine, current.sizes)[s]!, counted);
    assertUsable(engine);
    current = withCounts(engine, request, counted);
    checkCapacities(plan, current.sizes, job.allocation);
    const missing = missingPipelines(engine, current.sizes);
    await allSettled(missing.map((index) => engine.pipelines.need(index)));
  }
  checkLengths(plan, current.into, current.sizes.outputs);
  return current;
}

/** A run that waits for what it counts has its memory for itself meanwhile. */
async function executeInSegments(engine: Engine, request: Request): Promise<Outputs> {
  const job = prepare(engine, request);
  engine.allocations.delete(job.allocation);
  try {
    const final = await countAll(engine, request, job);
    return await finish(engine, final, job);
  } catch (error) {
    for (const buffer of job.kept) buffer?.destroy();
    throw error;
  } finally {
    if (!job.allocation.destroyed) engine.allocations.add(job.allocation);
  }
}

async function execute(engine: Engine, request: Request): Promise<Outputs> {
  const job = prepare(engine, request);
  try {
    return await finish(engine, request, job);
  } catch (error) {
    for (const buffer of job.kept) buffer?.destroy();
    throw error;
  }
}

/** Runs the last segment, or the only one. */
async function finish(engine: Engine, request: Request, job: Job): Promise<Outputs> {
  planOutputs(engine, request, job);
  const segment = segmentsOf(engine, request.sizes).at(-1)!;
  const { result, checks } = engine.memory.checked(
    buffersOf(job),
    hasForeign(engine, request),
    () => {
      const rounds = submitLast(engine, request, job, segment);
      const { outputs, pending } = collect(engine, request, job);
      return { outputs, pending: rounds ? [...pending, rounds] : pending };
    },
  );
  await allSettled([
    checks.catch((error: unknown) => refuse(engine, job, error)),
    ...result.pending,
  ]);
  // Any name may be that of an output: assigning to `__proto__` would lose it.
  return Object.fromEntries(result.outputs);
}

/** Forgets what a run used whose buffers were refused. */
function refuse(engine: Engine, job: Job, error: unknown): never {
  dropAllocation(engine, job.allocation);
  throw error;
}

/** The pipelines of a run's dispatches that have not been compiled yet. */
function missingPipelines({ pipelines }: Engine, sizes: Sizes): number[] {
  const used = new Set(sizes.dispatches.map(({ pipeline }) => pipeline));
  return [...used].filter((pipeline) => !pipelines.compiled[pipeline]);
}

/** One run of the model. All inputs are read before the first await, so the caller may reuse its arrays at once. */
export function run(engine: Engine, inputs: unknown, options?: RunOptions): Promise<Outputs> {
  return guarded(engine, async () => {
    assertUsable(engine);
    const request = requestOf(engine, inputs, options);
    const missing = missingPipelines(engine, request.sizes);
    if (missing.length === 0 && !engine.plan.segments) return execute(engine, request);
    const detached = detachInputs(engine, request);
    try {
      await allSettled([detached.checks, ...missing.map((index) => engine.pipelines.need(index))]);
      const all = engine.plan.segments ? executeInSegments : execute;
      return await all(engine, detached.request);
    } finally {
      detached.release();
    }
  });
}
