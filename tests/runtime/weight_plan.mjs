// A model that is all weights, for the tests of loading.
import assert from 'node:assert/strict';
import { CHUNK, planBuilder, random } from './support.mjs';

const gather = (count) => `
@group(0) @binding(0) var<uniform> p: vec2<u32>;
@group(0) @binding(1) var<storage, read_write> x: array<u32>;
@group(0) @binding(2) var<storage, read> w: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < p.x) { y[id.x] = w[x[id.x]${count}]; }
}`;

/** y[i] = the weights' word x[i]; one output for each part. */
export function weightPlan(parts) {
  const b = planBuilder();
  b.symbol('n', 0, { axis: 0 });
  const x = b.tensor('n', -1, parts.length);
  b.input('x', 'uint32', ['n'], x);
  parts.forEach((part, i) => {
    const weight = b.weight(part);
    const y = b.tensor('n', i, parts.length);
    b.step(
      `gather ${i}`,
      ['n', 0],
      [{ tensor: x }, { weight }, { tensor: y }],
      [{ pipeline: b.pipeline('ptwt', gather('')), workgroups: ['//', ['+', 'n', 63], 64] }],
    );
    b.output(`y${i}`, 'uint32', ['n'], { tensor: y });
  });
  return b.plan;
}

export function randomBytes(count, seed = 1) {
  const words = new Uint32Array(Math.ceil(count / 4));
  const next = random(seed);
  for (let i = 0; i < words.length; ++i) words[i] = next() * 2 ** 32;
  return new Uint8Array(words.buffer, 0, count);
}

export const wordAt = (bytes, index) =>
  new DataView(bytes.buffer, bytes.byteOffset + 4 * index).getUint32(0, true);

// Two and a half chunks, in three parts, the second of which spans a chunk's end.
export const content = randomBytes(2.5 * CHUNK);
export const parts = [
  { file: 0, offset: 0, bytes: 1024 },
  { file: 0, offset: 1024, bytes: CHUNK },
  { file: 0, offset: 1024 + CHUNK, bytes: 1.5 * CHUNK - 1024 },
];
export const plan = weightPlan(parts);
export const samples = { data: Uint32Array.of(0, 1, 200, 255), dims: [4] };

export async function checkModel(model, bytes = content, of = parts) {
  const out = await model.run({ x: samples });
  of.forEach(({ offset }, i) => {
    const expected = samples.data.map((index) => wordAt(bytes, offset / 4 + index));
    assert.deepEqual(out[`y${i}`].data, expected);
  });
  // The last word of all.
  const last = { data: Uint32Array.of(of[of.length - 1].bytes / 4 - 1), dims: [1] };
  const end = await model.run({ x: last });
  assert.deepEqual(
    end[`y${of.length - 1}`].data,
    Uint32Array.of(wordAt(bytes, bytes.length / 4 - 1)),
  );
}
