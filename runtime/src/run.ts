import type { Binding } from './binding.js';
import { copyExact, decode, encode, fromNumbers, type Data } from './dtype.js';
import { assertUsable, bindingFor, dropBinding, guarded, type Engine } from './engine.js';
import { SubbyteError, quoted } from './errors.js';
import { valueAt } from './expr.js';
import { scoped, type Scope } from './gpu.js';
import { bindSymbols, checkInputs, labelOf, productOf, type Given } from './inputs.js';
import {
  keepOutput,
  knownBuffers,
  outputLabel,
  planReadback,
  readStaging,
  type GpuSource,
} from './outputs.js';
import type { Plan, PlanOutput } from './plan.js';
import type { GpuTensor } from './tensor.js';
import type { RunOptions, Tensor } from './types.js';

export type Outputs = Record<string, Tensor | GpuTensor>;

function checkKeep(plan: Plan, options: RunOptions | undefined): Set<string> {
  const keep = options?.keep ?? [];
  if (!Array.isArray(keep)) {
    throw new SubbyteError('bad-option', 'run(inputs, { keep }): keep must be an array of names');
  }
  const names = plan.outputs.map(({ name }) => name);
  for (const name of keep as readonly string[]) {
    if (names.includes(name)) continue;
    throw new SubbyteError(
      'bad-output',
      `keep: the model has no output ${quoted(String(name))}: it has ${names.map(quoted).join(', ')}`,
    );
  }
  return new Set(keep);
}

/** What of an output is known on the CPU: computed sizes, and inputs passed through. */
function cpuData(
  spec: PlanOutput,
  dims: readonly number[],
  binding: Binding,
  given: readonly Given[],
): Data | undefined {
  if (spec.content) {
    const label = outputLabel(spec);
    const values = spec.content.map((value) =>
      typeof value === 'string'
        ? BigInt(value)
        : valueAt(binding.values, value, `a value of ${label}`),
    );
    return fromNumbers(spec.dtype, values, label);
  }
  if (productOf(dims) === 0) return decode(spec.dtype, new ArrayBuffer(0));
  return spec.input === undefined ? undefined : given[spec.input]!.data;
}

function gpuSource(spec: PlanOutput, binding: Binding, given: readonly Given[]): GpuSource {
  if (spec.input !== undefined) return given[spec.input]!.gpu!;
  const { arena, offset } = binding.places[spec.tensor!]!;
  return { buffer: binding.arenas[arena]!, offset };
}

function poisonArenas(engine: Engine, binding: Binding): void {
  for (const arena of binding.arenas) {
    const words = new Uint32Array(arena.size / 4).fill(0x7fc0dead);
    engine.device.gpu.queue.writeBuffer(arena, 0, words);
  }
}

function writeInputs(
  engine: Engine,
  encoder: GPUCommandEncoder,
  binding: Binding,
  given: readonly Given[],
  words: readonly (Uint8Array<ArrayBuffer> | undefined)[],
): void {
  given.forEach(({ spec, count, gpu }, i) => {
    if (spec.tensor === undefined || count === 0) return;
    const { arena, offset } = binding.places[spec.tensor]!;
    const target = binding.arenas[arena]!;
    if (gpu) encoder.copyBufferToBuffer(gpu.buffer, gpu.offset, target, offset, 4 * count);
    else engine.device.gpu.queue.writeBuffer(target, offset, words[i]!);
  });
}

function encodePass(encoder: GPUCommandEncoder, binding: Binding): void {
  if (binding.dispatches.length === 0) return;
  const pass = encoder.beginComputePass();
  let current: GPUComputePipeline | undefined;
  for (const { pipeline, group, x, y } of binding.dispatches) {
    if (pipeline !== current) pass.setPipeline((current = pipeline));
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(x, y);
  }
  pass.end();
}

interface Submitted {
  binding: Binding;
  outputs: Outputs;
  /** Fill in the outputs that are read back. */
  pending: Promise<unknown>;
}

/** Writes the inputs, replays the dispatches and copies the outputs: one pass, one submit, nothing awaited. */
function submit(
  engine: Engine,
  binding: Binding,
  given: readonly Given[],
  words: readonly (Uint8Array<ArrayBuffer> | undefined)[],
  keep: ReadonlySet<string>,
): Submitted {
  const { gpu } = engine.device;
  const { plan } = engine;
  // What may fail for the values given comes before anything is written.
  const onCpu = plan.outputs.map((spec, i) => cpuData(spec, binding.outputs[i]!, binding, given));
  const keptWords = plan.outputs.map((spec, i) =>
    keep.has(spec.name) && onCpu[i] ? encode(spec.dtype, onCpu[i]!, outputLabel(spec)) : undefined,
  );

  if (engine.poison) poisonArenas(engine, binding);
  const encoder = gpu.createCommandEncoder({ label: 'subbyte run' });
  writeInputs(engine, encoder, binding, given, words);
  encodePass(encoder, binding);

  const outputs = new Map<string, Tensor | GpuTensor>();
  const sources: { output: number; source: GpuSource; count: number }[] = [];
  plan.outputs.forEach((spec, i) => {
    const dims = [...binding.outputs[i]!];
    const { name, dtype } = spec;
    // Every name has its place at once, so that the order is the model's.
    if (keep.has(name)) {
      const source = keptWords[i] ?? gpuSource(spec, binding, given);
      outputs.set(name, keepOutput(engine, encoder, spec, dims, source));
    } else if (onCpu[i]) {
      outputs.set(name, { data: copyExact(dtype, onCpu[i]!), dims, dtype });
    } else {
      outputs.set(name, { data: new Float32Array(0), dims, dtype });
      const source = gpuSource(spec, binding, given);
      sources.push({ output: i, source, count: productOf(dims) });
    }
  });
  const readbacks = planReadback(engine, sources);
  const buffers = readbacks.map(({ bytes, reads }) => {
    const staging = engine.staging.take(bytes);
    for (const { source, offset, bytes: size } of reads) {
      encoder.copyBufferToBuffer(source.buffer, source.offset, staging, offset, size);
    }
    return staging;
  });
  gpu.queue.submit([encoder.finish()]);
  const pending = Promise.all(
    readbacks.map((readback, i) =>
      readStaging(engine, buffers[i]!, readback, (output, bytes) => {
        const { name, dtype } = plan.outputs[output]!;
        (outputs.get(name) as Tensor).data = decode(dtype, bytes);
      }),
    ),
  );
  // Any name may be that of an output: assigning to `__proto__` would lose it.
  return { binding, outputs: Object.fromEntries(outputs), pending };
}

/** Throws what the error scopes of a run caught; its binding may then hold invalid buffers, so it is dropped. */
async function checkErrors(engine: Engine, binding: Binding, errors: Scope): Promise<void> {
  const error = await errors;
  if (!error) return;
  dropBinding(engine, binding);
  if (error.outOfMemory) {
    throw new SubbyteError(
      'out-of-memory',
      `the GPU has no room for these input sizes: ${error.message}`,
    );
  }
  throw new SubbyteError('internal', `WebGPU refused the run: ${error.message}`);
}

/** One run of the model. All inputs are read before the first await, so the caller may reuse its arrays at once. */
export function run(engine: Engine, inputs: unknown, options?: RunOptions): Promise<Outputs> {
  return guarded(engine, async () => {
    assertUsable(engine);
    const { plan, device } = engine;
    const keep = checkKeep(plan, options);
    const given = checkInputs(plan, inputs);
    const symbols = bindSymbols(plan, given);
    const words = given.map(({ spec, data }) =>
      data && spec.tensor !== undefined ? encode(spec.dtype, data, labelOf(spec)) : undefined,
    );
    const start = (): Submitted =>
      submit(engine, bindingFor(engine, symbols, given), given, words, keep);
    // Errors can come from new buffers and from buffers of the user's; a repeated run has neither.
    const foreign = given.some(({ gpu }) => gpu && knownBuffers.get(gpu.buffer) !== device.gpu);
    if (!foreign && engine.bindings.get(symbols.join())?.valid) {
      const { outputs, pending } = start();
      await pending;
      return outputs;
    }
    const { result, errors } = scoped(device.gpu, start);
    const { binding } = result;
    const own = checkErrors(engine, binding, errors);
    // Where another run made the buffers, what its scopes caught is the cause of what these catch.
    binding.made ??= own;
    const settled = await Promise.allSettled([binding.made, own, result.pending]);
    for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason;
    binding.valid = true;
    return result.outputs;
  });
}
