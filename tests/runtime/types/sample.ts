// Compiled only: what the declarations of a generated module must accept and refuse.
import {
  format,
  load,
  requirements,
  SubbyteError,
  type Inputs,
  type InputsOf,
  type LoadOptions,
} from '../../../build/types/model.js';

const options: LoadOptions = {
  onProgress: ({ phase, loaded, total }) => console.log(phase, loaded / total),
  weights: async (file, offset, bytes, signal) => {
    signal.throwIfAborted();
    return (
      await fetch(file, { headers: { range: `bytes=${offset}-${offset + bytes - 1}` } })
    ).arrayBuffer();
  },
  requestInit: { credentials: 'include' },
  warm: { dims: { batch: 2 } },
  cache: true,
};
const version: 1 = format;
const features: string[] = requirements.features;

export async function sample(device: GPUDevice, buffer: GPUBuffer): Promise<void> {
  using model = await load({ ...options, device, signal: AbortSignal.timeout(1000) });
  const name: 'ids' = model.inputs[0].name;
  const dims: readonly ['batch', 16] = model.inputs[0].dims;
  const ids = { data: new BigInt64Array(32), dims: [2, 16] as const };
  const mask = { data: new Uint16Array(32), dims: [2, 16] as const };

  const out = await model.run({ ids, mask });
  const logits: Float32Array = out.logits.data;
  const rank2: [number, 2] = out.logits.dims;
  const bits: Uint16Array = out.cache.data;
  const dtype: 'float16' = out.cache.dtype;

  const kept = await model.run(
    {
      ids: { data: new Int32Array(16), dims: [1, 16] },
      mask: { buffer, offset: 256, dims: [1, 16] },
    },
    { keep: ['cache'] },
  );
  const onGpu: GPUBuffer = kept.cache.buffer;
  const read: Uint16Array = (await kept.cache.read()).data;
  const cpu: Float32Array = kept.logits.data;
  kept.cache.dispose();

  // Dims that are computed, and inputs that a function got: of no known rank, or of the model's.
  const computed: number[] = ids.dims.map((size) => size);
  await model.run({ ids: { data: ids.data, dims: computed }, mask });
  const plain = { data: new BigInt64Array(32), dims: [2, 16] };
  await model.run({ ids: plain, mask: { buffer, dims: computed, dtype: 'float16' } });
  const whole: InputsOf<Inputs> = { ids, mask };
  const both: Float32Array = (await model.run(whole)).logits.data;
  const keptToo: GPUBuffer = (await model.run(whole, { keep: ['logits'] })).logits.buffer;

  const into = { logits: new Float32Array(4), cache: new Uint16Array(16) };
  const same: Float32Array = (await model.run({ ids, mask }, { into })).logits.data;
  await model.run({ ids, mask }, { keep: ['cache'], into: { logits: into.logits } });

  // @ts-expect-error: the wrong type of array
  await model.run({ ids, mask }, { into: { logits: new Float64Array(4) } });
  // @ts-expect-error: no such output
  await model.run({ ids, mask }, { into: { hidden: new Float32Array(4) } });
  // @ts-expect-error: kept, so not written into an array
  await model.run({ ids, mask }, { keep: ['cache'], into: { cache: into.cache } });
  // @ts-expect-error: no such option
  await load({ cold: true });
  // @ts-expect-error: an input is missing
  await model.run({ ids });
  // @ts-expect-error: no such input
  await model.run({ ids, mask, tokens: ids });
  // @ts-expect-error: the wrong type of data
  await model.run({ ids: { data: new Float32Array(32), dims: [2, 16] }, mask });
  // @ts-expect-error: the wrong rank
  await model.run({ ids: { data: new BigInt64Array(32), dims: [32] }, mask });
  // @ts-expect-error: the wrong size of a fixed dimension
  await model.run({ ids: { data: new BigInt64Array(32), dims: [2, 17] }, mask });
  // @ts-expect-error: the wrong size of a fixed dimension, in a tuple
  await model.run({ ids: { data: ids.data, dims: [2, 17] as const }, mask });
  // @ts-expect-error: the wrong rank of a tensor on the GPU
  await model.run({ ids, mask: { buffer, dims: [2, 4, 4] } });
  // @ts-expect-error: dims are numbers
  await model.run({ ids: { data: ids.data, dims: ['2', '16'] }, mask });
  // @ts-expect-error: no dims
  await model.run({ ids: { data: ids.data }, mask });
  // @ts-expect-error: no such output
  await model.run({ ids, mask }, { keep: ['hidden'] });
  // @ts-expect-error: no such output
  out.hidden;
  // @ts-expect-error: not kept, so not on the GPU
  kept.logits.buffer;

  const info = await model.lost;
  console.log(
    version,
    features,
    name,
    dims,
    logits,
    rank2,
    bits,
    dtype,
    onGpu,
    read,
    cpu,
    same,
    both,
    keptToo,
    info.reason,
  );
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof SubbyteError && error.code === 'bad-shape' ? error.message : undefined;
}
