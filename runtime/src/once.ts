// What runs when a model is loaded, before its first run: weights in another layout, for one.
import { createAllocation, destroyAllocation } from './allocation.js';
import { alignedBytes } from './capacity.js';
import { encodePass } from './encode.js';
import { assertUsable, type Engine } from './engine.js';
import { evaluate, valueAt } from './expr.js';
import { COPY_DST, COPY_SRC, STORAGE } from './gpu.js';
import { allSettled } from './outputs.js';
import { widthOf } from './plan.js';
import { onceSegments } from './segments.js';
import { dispatchesOf } from './sizes.js';

/** Runs the segments that run once. Their tensors have buffers of their own, which stay where other steps or outputs read them. */
export async function runOnce(engine: Engine): Promise<void> {
  const { plan, memory, device, fixed } = engine;
  const once = onceSegments(plan);
  if (once.length === 0) return;
  const isOnce = (step: number): boolean => once.some(({ from, to }) => step >= from && step < to);
  const values = evaluate(plan.exprs, []);
  const work = dispatchesOf(engine, { symbols: [], values, inputs: [] }, isOnce);
  await allSettled(work.dispatches.map(({ pipeline }) => engine.pipelines.need(pipeline)));
  // Loading may have been aborted meanwhile.
  assertUsable(engine);
  const kept = new Set(plan.outputs.map(({ tensor }) => tensor));
  plan.steps.forEach(({ bindings }, step) => {
    for (const binding of bindings) {
      if (!('tensor' in binding)) continue;
      const { tensor } = binding;
      if (!isOnce(step)) kept.add(tensor);
      else if (!fixed.has(tensor)) {
        const spec = plan.tensors[tensor]!;
        const count = valueAt(values, spec.count, 'the size of a tensor');
        const size = alignedBytes(widthOf(spec) * count);
        const usage = STORAGE | COPY_SRC | COPY_DST;
        const buffer = memory.make({ label: 'subbyte fixed', size, usage });
        fixed.set(tensor, { buffer, offset: 0, size });
      }
    }
  });
  const allocation = createAllocation(
    engine.program,
    { bytes: [], places: [], totals: [] },
    memory,
  );
  const { params } = allocation;
  const buffers = [...fixed.values()].map(({ buffer }) => buffer);
  const { checks } = memory.checked(params ? [...buffers, params] : buffers, false, () => {
    if (params) device.gpu.queue.writeBuffer(params, 0, work.params);
    const encoder = device.gpu.createCommandEncoder();
    encodePass(engine, encoder, allocation, new Map(), work.dispatches);
    device.gpu.queue.submit([encoder.finish()]);
  });
  const isWhole = await checks.then(
    () => true,
    () => false,
  );
  destroyAllocation(allocation);
  for (const [tensor, { buffer }] of fixed) if (!isWhole || !kept.has(tensor)) buffer.destroy();
  await checks;
}
