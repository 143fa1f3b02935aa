import { arenaSlot, type Allocation, type Slot } from './allocation.js';
import { copyExact, type Data } from './dtype.js';
import { encodePass, piecesOf } from './encode.js';
import { allocationFor, assertUsable, dropAllocation, guarded, type Engine } from './engine.js';
import { evaluate } from './expr.js';
import { SubbyteError } from './errors.js';
import { bindingBytes, copyBytes } from './gpu.js';
import { productOf } from './inputs.js';
import { checkLengths } from './options.js';
import {
  allSettled,
  encodeReadback,
  keptTensor,
  knownBuffers,
  planReadback,
  readStaging,
  takeData,
  type Readback,
  type Wanted,
} from './outputs.js';
import { WORD, portWidth, type CountedSymbol, type PlanOutput } from './plan.js';
import { requestOf, withCounts, type Request } from './request.js';
import { Outgrown, checkCapacities, isWalked, walk, type Walk } from './segments.js';
import { checkConstraints, dispatchesOf, tensorBytes, type Sizes } from './sizes.js';
import { slotIn, slotsOf, type Slots } from './slots.js';
import { prepareRounds } from './states.js';
import type { GpuTensor } from './tensor.js';
import type { RunOptions, Tensor } from './types.js';
import { detachInputs, planUploads, refusedInput, writeInputs, type Upload } from './uploads.js';
import { FLAG, checkFlag, clearFlag, wantedFlag } from './watch.js';

export type Outputs = Record<string, Tensor | GpuTensor>;

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
  /** Bind groups that there were before. */
  groupsMade: number;
  isStarted: boolean;
}

/** What is dispatched together, with the parameters for it. */
type Work = Pick<Sizes, 'params' | 'dispatches'>;

/** Where the values of an output are that the GPU has. */
function sourceOf(engine: Engine, request: Request, job: Job, spec: PlanOutput): Slot {
  if (spec.input !== undefined) {
    const { gpu, count, width } = request.given[spec.input]!;
    return { ...gpu!, size: width * count };
  }
  const tensor = spec.tensor!;
  return job.outside.get(tensor) ?? arenaSlot(engine, job.allocation, tensor);
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
    groupsMade: allocation.groupsMade,
    isStarted: false,
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
 * Encodes and submits work of a run piece by piece; nothing is awaited. What comes from the CPU is written first. With the
 * last work the `readbacks` are the outputs', with any other those of symbols.
 */
function submit(
  engine: Engine,
  request: Request,
  job: Job,
  { dispatches: all, params }: Work,
  readbacks: readonly Readback[],
  isLast: boolean,
): void {
  const { gpu } = engine.device;
  const { queue } = gpu;
  const { keptBytes } = request;
  const { allocation, outside } = job;
  const isFirst = !job.isStarted;
  job.isStarted = true;
  if (engine.poison && isFirst) poison(engine, request, job);
  if (allocation.params && allocation.written !== params) {
    queue.writeBuffer(allocation.params, 0, params);
    allocation.written = params;
  }
  keptBytes.forEach((bytes, i) => {
    if (isLast && bytes && bytes.length > 0) queue.writeBuffer(job.kept[i]!, 0, bytes);
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
    queue.submit([encoder.finish()]);
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

/** Submits the last work; where the run made bind groups, it also makes those that its states will need. */
function submitLast(
  engine: Engine,
  request: Request,
  job: Job,
  work: Work,
): Promise<void> | undefined {
  const { allocation, slots, outside } = job;
  submit(engine, request, job, work, job.readbacks, true);
  if (allocation.groupsMade === job.groupsMade) return undefined;
  return prepareRounds(engine, request.sizes, slots, allocation, outside).catch(() =>
    dropAllocation(engine, allocation),
  );
}

/** Whether buffers are the user's: errors come from those, and from new buffers. */
function hasForeign(engine: Engine, { given }: Request): boolean {
  return given.some(({ gpu }) => gpu && knownBuffers.get(gpu.buffer) !== engine.device.gpu);
}

/** A run that goes from segment to segment. */
class SegmentedRun implements Walk {
  values: Float64Array;
  symbols: readonly number[];
  private readonly counted = new Map<number, number>();
  /** The symbols of turns under way. */
  private readonly turns = new Set<number>();

  constructor(
    private readonly engine: Engine,
    /** With the sizes that are known so far, for which the memory of the job is enough. */
    public request: Request,
    private readonly job: Job,
  ) {
    ({ values: this.values, symbols: this.symbols } = request.sizes);
  }

  bind(symbol: number, value: number, isLast: boolean): void {
    const { plan } = this.engine;
    this.counted.set(symbol, value);
    this.symbols = this.symbols.map((old, s) => (s === symbol ? value : old));
    this.values = evaluate(plan.exprs, this.symbols);
    if (isLast) this.turns.delete(symbol);
    else this.turns.add(symbol);
    // Without a bound there may be less memory than the turns so far have filled.
    if ((plan.symbols[symbol] as CountedSymbol).most === undefined) {
      checkCapacities(this.engine, tensorBytes(this.engine, this.values), this.job.allocation);
    }
  }

  /** What must hold of what is known, and of turns while they are under way. */
  private check(): void {
    const { engine, counted, turns } = this;
    const isTurn = (symbol: number): boolean =>
      (engine.plan.symbols[symbol] as CountedSymbol).tensor === undefined;
    const isKnown = (symbol: number): boolean =>
      isTurn(symbol) ? turns.has(symbol) : counted.has(symbol);
    checkConstraints(engine, this, (found) => found !== undefined && [...found].every(isKnown));
  }

  async run(from: number, to: number, symbols: readonly number[]): Promise<void> {
    const { engine, job, request } = this;
    if (this.turns.size > 0) this.check();
    const shapes = { ...request.sizes, symbols: this.symbols, values: this.values };
    const work = dispatchesOf(engine, shapes, (step) => step >= from && step < to);
    await compileMissing(engine, work);
    assertUsable(engine);
    const wanted = symbols.map((symbol): Wanted => {
      const { tensor, word = 0 } = engine.plan.symbols[symbol] as CountedSymbol;
      const { buffer, offset } = arenaSlot(engine, job.allocation, tensor!);
      const source = { buffer, offset: offset + WORD * word };
      return { output: symbol, source, bytes: WORD, capacity: WORD };
    });
    const readbacks = planReadback(engine, wanted);
    const buffers = [...buffersOf(job), ...readbacks.map(({ staging }) => staging)];
    const { result, checks } = engine.memory.checked(buffers, hasForeign(engine, request), () => {
      submit(engine, request, job, work, readbacks, false);
      return readbacks.map((readback) =>
        readStaging(engine, readback, (symbol, mapped, offset) => {
          this.counted.set(symbol, new DataView(mapped).getInt32(offset, true));
        }),
      );
    });
    await allSettled([checks.catch((error: unknown) => refuse(engine, job, error)), ...result]);
    if (symbols.length > 0) this.settle();
  }

  /** Computes the sizes anew with what has been counted. */
  settle(): void {
    this.request = withCounts(this.engine, this.request, this.counted);
    ({ values: this.values, symbols: this.symbols } = this.request.sizes);
    this.check();
    checkCapacities(this.engine, this.request.sizes.bytes, this.job.allocation);
  }
}

/** So often a run begins again: each time some tensor has at least twice its memory, or what it needs. */
const MOST_ATTEMPTS = 64;

/** A run that counts more than it has memory for begins again; its inputs are still what they were. */
async function executeInSegments(engine: Engine, request: Request): Promise<Outputs> {
  for (let attempt = 1; ; ++attempt) {
    try {
      return await executeOnce(engine, request);
    } catch (error) {
      if (!(error instanceof Outgrown)) throw error;
      if (attempt === MOST_ATTEMPTS) {
        throw new SubbyteError('limits', 'a run found more each time that it began again');
      }
      request = withCounts(engine, request, new Map());
    }
  }
}

/** A run that waits for what it counts has its memory for itself meanwhile. */
async function executeOnce(engine: Engine, request: Request): Promise<Outputs> {
  const { plan } = engine;
  const job = prepare(engine, request);
  engine.allocations.delete(job.allocation);
  try {
    const run = new SegmentedRun(engine, request, job);
    await walk(run, plan.segments!, 0);
    assertUsable(engine);
    run.settle();
    const { sizes } = run.request;
    checkLengths(plan, request.into, sizes.outputs);
    return await finish(engine, run.request, job, { ...sizes, dispatches: [] });
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
    return await finish(engine, request, job, request.sizes);
  } catch (error) {
    for (const buffer of job.kept) buffer?.destroy();
    throw error;
  }
}

/** Runs what is left, and gives the outputs. */
async function finish(engine: Engine, request: Request, job: Job, work: Work): Promise<Outputs> {
  planOutputs(engine, request, job);
  const { result, checks } = engine.memory.checked(
    buffersOf(job),
    hasForeign(engine, request),
    () => {
      const rounds = submitLast(engine, request, job, work);
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

function isCompiled({ pipelines: { compiled } }: Engine, { dispatches }: Work): boolean {
  return dispatches.every(({ pipeline }) => compiled[pipeline]);
}

function compileMissing({ pipelines }: Engine, { dispatches }: Work): Promise<void> {
  const used = new Set(dispatches.map(({ pipeline }) => pipeline));
  return allSettled([...used].map((index) => pipelines.need(index)));
}

async function submitRequest(engine: Engine, request: Request): Promise<Outputs> {
  const all = isWalked(engine.plan) ? executeInSegments : execute;
  if (all === execute && isCompiled(engine, request.sizes)) {
    return execute(engine, request);
  }
  const detached = detachInputs(engine, request);
  try {
    await allSettled([detached.checks, compileMissing(engine, request.sizes)]);
    return await all(engine, detached.request);
  } finally {
    detached.release();
  }
}

/** One run of the model. All inputs are read before the first await, so the caller may reuse its arrays at once. */
export function run(engine: Engine, inputs: unknown, options?: RunOptions): Promise<Outputs> {
  return guarded(engine, async () => {
    assertUsable(engine);
    const request = requestOf(engine, inputs, options);
    try {
      return await submitRequest(engine, request);
    } catch (error) {
      if (!hasForeign(engine, request)) throw error;
      throw (await refusedInput(engine, request.given)) ?? error;
    }
  });
}
