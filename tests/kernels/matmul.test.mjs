// The matrix bodies over every kind of B.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertClose, inNans, kernel, openDevices, randoms, run } from './harness.mjs';
import { makeWeights, weightPrologue } from './weights.mjs';

const GUARD = 64;
const tiles = (rows, cols, tile) => Math.ceil(rows / tile) * Math.ceil(cols / tile);

// Each body: the library files before it, its count of workgroups for one batch, what it needs.
const vector = {
  libraries: ['matmul_vector_sums'],
  workgroups: (m, n) => Math.ceil(m / 4) * Math.ceil(n / 32),
};
const tiled = { libraries: ['matmul_tiles'] };
const BODIES = {
  matmul_direct: { libraries: ['sums_float'], workgroups: (m, n) => tiles(m, n, 4) / 64 },
  matmul_element: { workgroups: (m, n) => (m * n) / 256 },
  matmul_vector: vector,
  matmul_vector_subgroup: { ...vector, feature: 'subgroups', prologue: 'enable subgroups;\n' },
  matmul_tile: { ...tiled, workgroups: (m, n) => tiles(m, n, 64) },
  'matmul_tile_small of 16': {
    libraries: ['matmul_tiles', 'matmul_whole'],
    file: 'matmul_tile_small',
    prologue: 'const TILE: u32 = 16u;\n',
    workgroups: (m, n) => tiles(m, n, 16),
  },
  'matmul_tile_small of 32': {
    libraries: ['matmul_tiles', 'matmul_whole'],
    file: 'matmul_tile_small',
    prologue: 'const TILE: u32 = 32u;\n',
    workgroups: (m, n) => tiles(m, n, 32),
  },
  matmul_tile_large: { ...tiled, workgroupStorage: 32768, workgroups: (m, n) => tiles(m, n, 128) },
};

const runsOn = (device, { feature, workgroupStorage = 0 }) =>
  (!feature || device.features.has(feature)) &&
  device.limits.maxComputeWorkgroupStorageSize >= workgroupStorage;

// A load of four values of a row of `arena` at k, zeros past the depth, whatever the row's alignment.
const gather = (base, stride) => `{
  var v = vec4<f32>();
  if (k < depth()) { v.x = arena[${base} + k * ${stride}]; }
  if (k + 1u < depth()) { v.y = arena[${base} + (k + 1u) * ${stride}]; }
  if (k + 2u < depth()) { v.z = arena[${base} + (k + 2u) * ${stride}]; }
  if (k + 3u < depth()) { v.w = arena[${base} + (k + 3u) * ${stride}]; }
  return v;
}`;

// `sizes`: as literals, or as members of a parameter struct.
async function multiply(
  device,
  {
    name,
    M,
    N,
    K,
    batches = 1,
    weights = null,
    order = 'k',
    sizes = 'params',
    chunk = null,
    adjacent = false,
  },
) {
  const [first, cols] = chunk ?? [0, N];
  const a = randoms(batches * M * K, 1);
  const b = weights ? [] : randoms(batches * N * K, 2);
  const atA = GUARD;
  const atB = atA + a.length + GUARD;
  const atC = atB + b.length + GUARD;
  const arena = inNans(atC + batches * M * N + GUARD, atA, a);
  arena.set(b, atB);

  const values = { batches, rows: M, cols: N, depth: K, first_col: first, chunk_cols: cols };
  const offsets = { AT_A: atA, AT_B: atB, AT_C: atC };
  const buffers = [arena];
  const { file = name, libraries: needed = [], prologue: head = '', workgroups } = BODIES[name];
  let prologue = `${head}const ROWS_ADJACENT = ${adjacent};
@group(0) @binding(0) var<storage, read_write> arena: array<f32>;\n`;
  if (sizes === 'literal') {
    for (const [size, value] of Object.entries(values))
      prologue += `fn ${size}() -> u32 { return ${value}u; }\n`;
    for (const [offset, value] of Object.entries(offsets))
      prologue += `fn ${offset}() -> u32 { return ${value}u; }\n`;
  } else {
    const all = { ...values, ...offsets };
    buffers.push(Uint32Array.from([...Object.values(all), 0, 0, 0]));
    prologue += `struct Params { ${Object.keys(all)
      .map((size) => `p_${size}: u32`)
      .join(', ')} }
@group(0) @binding(1) var<uniform> params: Params;\n`;
    for (const size of Object.keys(all))
      prologue += `fn ${size}() -> u32 { return params.p_${size}; }\n`;
  }
  prologue += `fn load_a(b: u32, m: u32, k: u32) -> vec4<f32> ${gather('AT_A() + (b * rows() + m) * depth()', '1u')}
fn store(b: u32, m: u32, n: u32, value: f32) { arena[AT_C() + (b * rows() + m) * cols() + n] = value; }\n`;
  let libraries;
  if (weights) {
    const bound = weightPrologue(weights, buffers.length);
    prologue += bound.code;
    buffers.push(...bound.buffers);
    libraries = bound.libraries;
  } else {
    const at =
      order === 'k'
        ? ['AT_B() + (b * cols() + n) * depth()', '1u']
        : ['AT_B() + b * cols() * depth() + n', 'cols()'];
    prologue += `fn load_b(b: u32, n: u32, k: u32) -> vec4<f32> ${gather(...at)}\n`;
    libraries = ['weights_activations'];
  }
  const pieces = ['octet', ...libraries, ...needed, file].map(kernel);
  const result = await run(device, {
    code: [prologue, ...pieces].join('\n'),
    buffers,
    output: 0,
    workgroups: Math.ceil(batches * workgroups(M, cols)) + 3, // the surplus must do nothing
  });
  assert.deepEqual(result.subarray(0, atC), arena.subarray(0, atC), 'written before C');
  assert.ok(result.subarray(atC + batches * M * N).every(Number.isNaN), 'written past C');

  const valueB = (batch, n, k) =>
    weights
      ? weights.value(n - first, k)
      : order === 'k'
        ? b[(batch * N + n) * K + k]
        : b[(batch * K + k) * N + n];
  const expected = new Float64Array(batches * M * N).fill(NaN);
  const scale = new Float64Array(expected.length);
  const row = new Float64Array(K);
  for (let batch = 0; batch < batches; batch++) {
    for (let n = first; n < first + cols; n++) {
      for (let k = 0; k < K; k++) row[k] = valueB(batch, n, k);
      for (let m = 0; m < M; m++) {
        const from = (batch * M + m) * K;
        let [sum, magnitude] = [0, 0];
        for (let k = 0; k < K; k++) {
          sum += a[from + k] * row[k];
          magnitude += Math.abs(a[from + k] * row[k]);
        }
        expected[(batch * M + m) * N + n] = sum;
        scale[(batch * M + m) * N + n] = magnitude;
      }
    }
  }
  assertClose(result.subarray(atC, atC + expected.length), expected, 1e-6, (i) => scale[i], name);
}

const KINDS = [
  { bits: 32 },
  { bits: 16 },
  { bits: 8, group: 32 },
  { bits: 8, group: 8, zeroBits: 4 },
  { bits: 4, group: 32 },
  { bits: 4, group: 16, zeroBits: 6 },
  { bits: 4, group: 8, zeroBits: 4 },
  { bits: 4, group: 32, zeroBits: 6 },
  { bits: 3, group: 32, zeroBits: 6 },
  { bits: 2, group: 16, zeroBits: 6 },
  { bits: 2, group: 32, zeroBits: 4 },
];
const label = ({ bits, group, zeroBits = 0 }) =>
  bits >= 16 ? `f${bits}` : `q${bits} group ${group} zero bits ${zeroBits}`;

let devices;
before(async () => (devices = await openDevices()));
after(() => Object.values(devices).forEach((device) => device.destroy()));

const SHAPES = [
  [1, 1, 4099],
  [129, 131, 65],
  [1, 7, 1],
  [2, 33, 31],
  [3, 65, 33],
  [5, 130, 384],
  [33, 3, 70],
  [2, 3, 0],
];

for (const kind of ['plain', 'full']) {
  for (const name of Object.keys(BODIES)) {
    test(`${name}, ${kind} device`, async (t) => {
      const device = devices[kind];
      if (!runsOn(device, BODIES[name])) return t.skip('the device lacks what it needs');
      const check = (what, options) => t.test(what, () => multiply(device, { name, ...options }));
      for (const order of ['k', 'n']) {
        for (const [M, N, K] of SHAPES)
          await check(`activations ${order}-contiguous ${M}x${N}x${K}`, { M, N, K, order });
      }
      await check('activations in batches', { M: 5, N: 37, K: 40, batches: 3 });
      await check('rows adjacent', { M: 130, N: 35, K: 77, batches: 2, adjacent: true });
      await check('sizes as literals', { M: 4, N: 34, K: 1100, sizes: 'literal' });
      for (const spec of kind === 'full' ? KINDS.slice(-6, -4) : KINDS) {
        const weights = (N, K) => makeWeights({ ...spec, rows: N, k: K });
        await check(`${label(spec)} 5x70x95`, { M: 5, N: 70, K: 95, weights: weights(70, 95) });
        await check(`${label(spec)} 1x33x1152`, {
          M: 1,
          N: 33,
          K: 1152,
          weights: weights(33, 1152),
        });
      }
      const weights = makeWeights({ bits: 4, group: 32, zeroBits: 6, rows: 40, k: 96 });
      await check('a chunk of the columns', { M: 3, N: 150, K: 96, weights, chunk: [77, 40] });
    });
  }
}
