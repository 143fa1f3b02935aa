import type { Capacities } from './capacity.js';
import type { Engine } from './engine.js';
import { COPY_DST, COPY_SRC, STORAGE, UNIFORM, bindingBytes } from './gpu.js';
import { spanOf } from './layout.js';
import type { Memory } from './memory.js';
import type { Launch, Program } from './program.js';
import type { Sizes } from './sizes.js';

/** Bytes of a buffer that a tensor lies in. */
export interface Slot {
  buffer: GPUBuffer;
  offset: number;
  /** Bytes to bind. */
  size: number;
}

/** The memory that runs of similar sizes share, and the bind groups over it. */
export interface Allocation {
  capacities: Capacities;
  arenas: GPUBuffer[];
  params: GPUBuffer | undefined;
  /** What has been written into `params`. */
  written: Uint32Array | undefined;
  /** By launch: those that bind nothing outside of the arenas. */
  groups: (GPUBindGroup | undefined)[];
  /** The others, by what they bind; the least recently used first. */
  outsideGroups: Map<string, GPUBindGroup>;
  /** How many of both have been made. */
  groupsMade: number;
  /** Of the arenas. */
  bytes: number;
  /** The sizes that are known to fit, each with the key of what lay outside. */
  fitting: WeakMap<Sizes, string>;
  destroyed: boolean;
}

/** So many groups for each launch are kept that bind tensors outside: two states that swap their buffers take two. */
const OUTSIDE_GROUPS = 4;

export function createAllocation(
  program: Program,
  capacities: Capacities,
  memory: Memory,
): Allocation {
  const arenas = capacities.totals.map((size) =>
    memory.make({ label: 'subbyte arena', size, usage: STORAGE | COPY_SRC | COPY_DST }),
  );
  const params =
    program.paramBytes === 0
      ? undefined
      : memory.make({
          label: 'subbyte parameters',
          size: program.paramBytes,
          usage: UNIFORM | COPY_DST,
        });
  return {
    capacities,
    arenas,
    params,
    written: undefined,
    groups: [],
    outsideGroups: new Map(),
    groupsMade: 0,
    bytes: capacities.totals.reduce((sum, size) => sum + size, 0),
    fitting: new WeakMap(),
    destroyed: false,
  };
}

/** Frees the buffers. Work already submitted still completes, as WebGPU has it. */
export function destroyAllocation(allocation: Allocation): void {
  allocation.destroyed = true;
  for (const buffer of allocation.arenas) buffer.destroy();
  allocation.params?.destroy();
  allocation.groups = [];
  allocation.outsideGroups.clear();
}

/** Where a tensor lies that is not outside of a run's memory: in the arenas, or where steps left it at load. */
export function arenaSlot(
  { device, fixed }: Engine,
  { capacities, arenas }: Allocation,
  tensor: number,
): Slot {
  const slot = fixed.get(tensor);
  if (slot) return slot;
  const { arena, offset } = capacities.places[tensor]!;
  const size = Math.min(capacities.bytes[tensor]!, device.limit('maxStorageBufferBindingSize'));
  return { buffer: arenas[arena]!, offset, size };
}

const numbers = new WeakMap<GPUBuffer, number>();
let buffersSeen = 0;

/** A number for each buffer that a tensor outside of the arenas lies in. */
function numberOf(buffer: GPUBuffer): number {
  let number = numbers.get(buffer);
  if (number === undefined) numbers.set(buffer, (number = buffersSeen++));
  return number;
}

/** Which buffers outside of the arenas a launch binds in this run; '' where it binds none. */
function outsideKey(index: number, launch: Launch, outside: ReadonlyMap<number, Slot>): string {
  let key = '';
  for (const tensor of launch.ports) {
    const slot = outside.get(tensor);
    if (slot) key += `,${tensor}=${numberOf(slot.buffer)}:${slot.offset}:${slot.size}`;
  }
  return key && `${index}${key}`;
}

function createGroup(
  engine: Engine,
  allocation: Allocation,
  launch: Launch,
  outside: ReadonlyMap<number, Slot>,
): GPUBindGroup {
  const { plan, pipelines, device, weights } = engine;
  const { step, range, params } = launch;
  const resources = step.bindings.map((binding) => {
    if ('tensor' in binding) {
      return outside.get(binding.tensor) ?? arenaSlot(engine, allocation, binding.tensor);
    }
    const cut = step.split?.weights.includes(binding.weight) ? range : undefined;
    const slice = spanOf(plan, weights.layout, binding.weight, binding.span ?? 1, cut);
    const buffer = weights.buffers[slice.region]!;
    return { buffer, offset: slice.offset, size: bindingBytes(slice.bytes) };
  });
  const entries: GPUBindGroupEntry[] = resources.map((resource, b) => ({
    binding: b + 1,
    resource,
  }));
  if (params) {
    const resource = { buffer: allocation.params!, offset: params.offset, size: params.bytes };
    entries.push({ binding: 0, resource });
  }
  const layout = pipelines.layouts[launch.index]!;
  ++allocation.groupsMade;
  return device.gpu.createBindGroup({ label: step.name, layout, entries });
}

/** The bind group of a launch for a run whose tensors in `outside` lie there, made where it is not among those kept. */
export function groupOf(
  engine: Engine,
  allocation: Allocation,
  index: number,
  outside: ReadonlyMap<number, Slot>,
): GPUBindGroup {
  const { launches } = engine.program;
  const launch = launches[index]!;
  const { groups, outsideGroups } = allocation;
  const key = outside.size > 0 ? outsideKey(index, launch, outside) : '';
  if (!key) return (groups[index] ??= createGroup(engine, allocation, launch, outside));
  const group = outsideGroups.get(key) ?? createGroup(engine, allocation, launch, outside);
  outsideGroups.delete(key);
  outsideGroups.set(key, group);
  if (outsideGroups.size > OUTSIDE_GROUPS * launches.length) {
    outsideGroups.delete(outsideGroups.keys().next().value!);
  }
  return group;
}
