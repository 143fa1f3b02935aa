import { groupOf, type Allocation, type Slot } from './allocation.js';
import type { Engine } from './engine.js';
import type { Dispatch } from './sizes.js';

/** Work is submitted in this many pieces at most: the GPU begins while the rest is encoded. */
const MOST_PIECES = 4;
/** Dispatches below which another piece costs more than it saves. */
const LEAST_DISPATCHES = 13;

/** Cuts `dispatches` into the pieces that are submitted one by one; at least one. */
export function piecesOf<T>(dispatches: readonly T[]): T[][] {
  const count = Math.min(MOST_PIECES, Math.ceil(dispatches.length / LEAST_DISPATCHES)) || 1;
  return Array.from({ length: count }, (_, i) => {
    const at = (piece: number): number => Math.round((piece * dispatches.length) / count);
    return dispatches.slice(at(i), at(i + 1));
  });
}

/** Encodes dispatches as one pass. */
export function encodePass(
  engine: Engine,
  encoder: GPUCommandEncoder,
  allocation: Allocation,
  outside: ReadonlyMap<number, Slot>,
  dispatches: readonly Dispatch[],
): void {
  if (dispatches.length === 0) return;
  const { compiled } = engine.pipelines;
  const pass = encoder.beginComputePass();
  let current: number | undefined;
  for (const { launch, pipeline, x, y } of dispatches) {
    if (pipeline !== current) pass.setPipeline(compiled[(current = pipeline)]!);
    pass.setBindGroup(0, groupOf(engine, allocation, launch, outside));
    pass.dispatchWorkgroups(x, y);
  }
  pass.end();
}
