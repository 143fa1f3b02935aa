// Times every form of the matrix product over packed weights, to choose between them: src/plan/forms.cc.
//   node --import SHIM bench/gpu/kernels_bench.mjs [options]
// SHIM gives node what a browser has: navigator.gpu and the GPU* globals. Timestamps are used where the device has them.
//   --shapes NxK,...     default 4096x4096,384x384,1536x384,384x1536
//   --rows M,...         default 1,4,16,32,128,1024
//   --bits B,...         default 4,8,16,32
//   --forms NAME,...     default all
//   --arena vec4|f32     how A is read: 16 bytes at once, or four words (default vec4)
//   --rounds R           default 5; a round times each form once, so that all meet the same clock
//   --busy MS            work before each group of timings, for the clock to rise: default 200
//   --block MS           a timed block lasts about so long: default 4
//   --bandwidth B/s --flops F/s --dispatch S   the floor's constants: default 2.9e12, 60e12, 2e-6
//   --out FILE           JSON lines there too
import { appendFileSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    shapes: { type: 'string', default: '4096x4096,384x384,1536x384,384x1536' },
    rows: { type: 'string', default: '1,4,16,32,128,1024' },
    bits: { type: 'string', default: '4,8,16,32' },
    forms: { type: 'string' },
    arena: { type: 'string', default: 'vec4' },
    rounds: { type: 'string', default: '5' },
    busy: { type: 'string', default: '200' },
    block: { type: 'string', default: '4' },
    bandwidth: { type: 'string', default: '2.9e12' },
    flops: { type: 'string', default: '60e12' },
    dispatch: { type: 'string', default: '2e-6' },
    out: { type: 'string' },
  },
});
const numbers = (text) => text.split(',').map(Number);

const tiles = (tile) => (m, n) => Math.ceil(m / tile) * Math.ceil(n / tile);
const vector = (m, n) => Math.ceil(m / 4) * Math.ceil(n / 32);
const FORMS = {
  direct: {
    pieces: ['matmul_direct'],
    workgroups: (m, n) => Math.ceil(tiles(4)(m, n) / 64),
    work: 2 ** 30,
  },
  vector: { pieces: ['matmul_vector_sums', 'matmul_vector'], workgroups: vector, rows: 256 },
  vector_subgroup: {
    pieces: ['matmul_vector_sums', 'matmul_vector_subgroup'],
    head: 'enable subgroups;\n',
    workgroups: vector,
    rows: 256,
    feature: 'subgroups',
  },
  small16: {
    pieces: ['matmul_tiles', 'matmul_whole', 'matmul_tile_small'],
    head: 'const TILE: u32 = 16u;\n',
    workgroups: tiles(16),
  },
  small32: {
    pieces: ['matmul_tiles', 'matmul_whole', 'matmul_tile_small'],
    head: 'const TILE: u32 = 32u;\n',
    workgroups: tiles(32),
  },
  tile: { pieces: ['matmul_tiles', 'matmul_tile'], workgroups: tiles(64) },
  large: { pieces: ['matmul_tiles', 'matmul_tile_large'], workgroups: tiles(128), storage: 32768 },
};

const GROUP = 32;
const COPIES_BYTES = 256e6; // different weights for each dispatch, so that a cache of 50 MB does not hold them
const MAX_COPIES = 16;

const kernel = (name) =>
  readFileSync(new URL(`../../kernels/${name}.wgsl`, import.meta.url), 'utf8');

const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
];
const device = await adapter.requestDevice({
  requiredFeatures: ['timestamp-query', 'subgroups'].filter((feature) =>
    adapter.features.has(feature),
  ),
  requiredLimits: Object.fromEntries(wantedLimits.map((name) => [name, adapter.limits[name]])),
});
device.onuncapturederror = ({ error }) => {
  console.error(error.message);
  process.exit(1);
};
const { STORAGE, UNIFORM, COPY_DST, COPY_SRC, QUERY_RESOLVE, MAP_READ } = GPUBufferUsage;
const buffer = (size, usage) => device.createBuffer({ size, usage });
const stamps = device.features.has('timestamp-query') && {
  set: device.createQuerySet({ type: 'timestamp', count: 2 }),
  resolved: buffer(16, QUERY_RESOLVE | COPY_SRC),
  mapped: buffer(16, MAP_READ | COPY_DST),
};

function report(line) {
  if (options.out) appendFileSync(options.out, `${JSON.stringify(line)}\n`);
  else console.log(JSON.stringify(line));
}

function prologue(form, bits, N, K) {
  const rowWords = (K * bits) / 32;
  let code = `${form.head ?? ''}@group(0) @binding(0) var<uniform> m_count: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> a: array<${options.arena === 'vec4' ? 'vec4<f32>' : 'f32'}>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(0) @binding(3) var<storage, read> w_values: array<vec4<u32>>;
fn batches() -> u32 { return 1u; }
fn rows() -> u32 { return m_count.x; }
fn cols() -> u32 { return ${N}u; }
fn depth() -> u32 { return ${K}u; }
fn first_col() -> u32 { return 0u; }
fn chunk_cols() -> u32 { return ${N}u; }
fn store(b: u32, m: u32, n: u32, value: f32) { c[m * ${N}u + n] = value; }
fn row_words() -> u32 { return ${rowWords}u; }
fn weight_row(b: u32, n: u32) -> u32 { return n; }
const W_ROWS_OF_VEC4 = ${rowWords % 4 === 0};
const ROWS_ADJACENT = false;
fn weight_vec4(i: u32) -> vec4<u32> { return w_values[i]; }
fn weight_word(i: u32) -> u32 { return w_values[i >> 2u][i & 3u]; }
`;
  code +=
    options.arena === 'vec4'
      ? `fn load_a(b: u32, m: u32, k: u32) -> vec4<f32> { return a[(m * ${K}u + k) / 4u]; }\n`
      : `fn load_a(b: u32, m: u32, k: u32) -> vec4<f32> {
  let i = m * ${K}u + k;
  return vec4<f32>(a[i], a[i + 1u], a[i + 2u], a[i + 3u]);
}\n`;
  if (bits >= 16) return code;
  return `${code}@group(0) @binding(4) var<storage, read> w_scales: array<u32>;
fn scale_bytes() -> u32 { return ${(K / GROUP) * 2}u; }
const W_GROUP: u32 = ${GROUP}u;
const W_ZERO_BITS: u32 = 0u;
fn zero_bytes() -> u32 { return 0u; }
const W_ZERO_STEP: f32 = 1.0;
const W_ZERO_DEFAULT: f32 = ${2 ** (bits - 1)}.0;
fn scale_factor() -> f32 { return 1.0; }
fn scale_word(i: u32) -> u32 { return w_scales[i]; }
fn zero_word(i: u32) -> u32 { return 0u; }\n`;
}

function pipelineOf(form, bits, N, K) {
  const weights = { 32: ['weights_f32'], 16: ['half', 'weights_f16'] }[bits] ?? [
    'weights_affine',
    `weights_q${bits}`,
  ];
  const code = [
    prologue(form, bits, N, K),
    ...['octet', ...weights, ...form.pieces].map(kernel),
  ].join('\n');
  return device.createComputePipelineAsync({
    layout: 'auto',
    compute: { module: device.createShaderModule({ code }), entryPoint: 'main' },
  });
}

// Seeded by position. As f32 and as halves it must be finite and small: exponents are masked off.
function noise(words, seed, mask, bits) {
  const data = new Uint32Array(words);
  let state = seed;
  for (let i = 0; i < words; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = ((state ^ (state >>> 15)) & mask) | bits;
  }
  return data;
}

function filled(data, usage = STORAGE) {
  const made = buffer(data.byteLength, usage | COPY_DST | COPY_SRC);
  device.queue.writeBuffer(made, 0, data);
  return made;
}

// `dispatches` in one pass, each waiting for the last, because all write C. Seconds a dispatch.
async function time(runs, dispatches) {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass(
    stamps
      ? {
          timestampWrites: {
            querySet: stamps.set,
            beginningOfPassWriteIndex: 0,
            endOfPassWriteIndex: 1,
          },
        }
      : {},
  );
  pass.setPipeline(runs.pipeline);
  for (let i = 0; i < dispatches; i++) {
    pass.setBindGroup(0, runs.groups[i % runs.groups.length]);
    pass.dispatchWorkgroups(runs.workgroups);
  }
  pass.end();
  if (stamps) {
    encoder.resolveQuerySet(stamps.set, 0, 2, stamps.resolved, 0);
    encoder.copyBufferToBuffer(stamps.resolved, 0, stamps.mapped, 0, 16);
  }
  const start = performance.now();
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  const wall = (performance.now() - start) / 1000;
  if (!stamps) return { wall: wall / dispatches, gpu: wall / dispatches };
  await stamps.mapped.mapAsync(GPUMapMode.READ);
  const [begin, end] = new BigUint64Array(stamps.mapped.getMappedRange());
  stamps.mapped.unmap();
  return { wall: wall / dispatches, gpu: Number(end - begin) / 1e9 / dispatches };
}

async function read(source, count) {
  const staging = buffer(count * 4, MAP_READ | COPY_DST);
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(source, 0, staging, 0, count * 4);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const result = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return result;
}

function relativeError(actual, expected) {
  let [difference, norm] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

const median = (list) => [...list].sort((x, y) => x - y)[list.length >> 1];
const usable = Object.entries(FORMS).filter(
  ([name, form]) =>
    (!options.forms || options.forms.split(',').includes(name)) &&
    (!form.feature || device.features.has(form.feature)) &&
    device.limits.maxComputeWorkgroupStorageSize >= (form.storage ?? 0),
);

async function timeForms({ bits, M, N, K, pipelines, weights, a, c, bytes }) {
  const params = filled(Uint32Array.of(M, 0, 0, 0), UNIFORM);
  const candidates = [];
  let first;
  for (const [name, form] of usable) {
    if (M > (form.rows ?? Infinity) || M * N * K > (form.work ?? Infinity)) continue;
    const pipeline = pipelines[name];
    const groups = weights.map((parts) =>
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [params, a, c, ...parts].map((part, binding) => ({
          binding,
          resource: { buffer: part },
        })),
      }),
    );
    const runs = {
      name,
      pipeline,
      groups: groups.slice(0, 1),
      workgroups: form.workgroups(M, N),
      gpu: [],
      wall: [],
    };
    const { gpu } = await time(runs, 1);
    const result = await read(c, M * N);
    first ??= result;
    runs.error = relativeError(result, first);
    runs.groups = groups;
    runs.estimate = gpu;
    candidates.push(runs);
  }
  const busyUntil = performance.now() + Number(options.busy);
  while (performance.now() < busyUntil)
    await time(
      candidates[0],
      Math.max(1, Math.min(256, Math.round(0.005 / candidates[0].estimate))),
    );
  for (let round = -1; round < Number(options.rounds); round++) {
    for (const runs of candidates) {
      const dispatches = Math.max(
        1,
        Math.min(1024, Math.round(Number(options.block) / 1000 / runs.estimate)),
      );
      const { gpu, wall } = await time(runs, dispatches);
      runs.estimate = Math.max(gpu, 1e-6); // without the cost of a first, cold run
      if (round >= 0) (runs.gpu.push(gpu), runs.wall.push(wall));
    }
  }
  const traffic = bytes + 4 * M * (N + K);
  const floor =
    Math.max(traffic / Number(options.bandwidth), (2 * M * N * K) / Number(options.flops)) +
    Number(options.dispatch);
  candidates.sort((x, y) => median(x.gpu) - median(y.gpu));
  for (const { name, gpu, wall, error, workgroups } of candidates) {
    const seconds = median(gpu);
    report({
      bits,
      M,
      N,
      K,
      form: name,
      workgroups,
      us: +(seconds * 1e6).toFixed(2),
      us_least: +(Math.min(...gpu) * 1e6).toFixed(2),
      us_wall: +(median(wall) * 1e6).toFixed(2),
      gb_s: +(traffic / seconds / 1e9).toFixed(1),
      tflop_s: +((2 * M * N * K) / seconds / 1e12).toFixed(3),
      floor_us: +(floor * 1e6).toFixed(2),
      of_floor: +(floor / seconds).toFixed(3),
      difference: +error.toExponential(1),
    });
    if (error > 1e-5)
      console.error(
        `${name} at ${bits} bits ${M}x${N}x${K} differs from ${candidates[0].name} by ${error}`,
      );
  }
  params.destroy();
  return candidates;
}

console.error(
  `${adapter.info.vendor} ${adapter.info.architecture} ${adapter.info.description}; ` +
    `${stamps ? 'GPU timestamps' : 'wall clock'}; A read as ${options.arena}`,
);
const table = [];
for (const bits of numbers(options.bits)) {
  for (const shape of options.shapes.split(',')) {
    const [N, K] = shape.split('x').map(Number);
    const valueBytes = (N * K * bits) / 8;
    const scaleBytes = bits >= 16 ? 0 : ((N * K) / GROUP) * 2;
    const copies = Math.max(1, Math.min(MAX_COPIES, Math.ceil(COPIES_BYTES / valueBytes)));
    // f32: 0.5..1 or its negative; halves: below 2 in magnitude; scales: halves between 1/8 and 1/4.
    const [mask, set] =
      bits === 32 ? [0x807fffff, 0x3f000000] : bits === 16 ? [0xbfffbfff, 0] : [0xffffffff, 0];
    const values = noise(valueBytes / 4, 7, mask, set);
    const scales = scaleBytes ? noise(scaleBytes / 4, 8, 0x03ff03ff, 0x30003000) : null;
    const weights = Array.from({ length: copies }, () => [
      filled(values),
      ...(scales ? [filled(scales)] : []),
    ]);
    const most = Math.max(...numbers(options.rows));
    const a = filled(noise(most * K, 9, 0x807fffff, 0x3f000000));
    const c = filled(new Float32Array(most * N));
    const pipelines = {};
    for (const [name, form] of usable) pipelines[name] = await pipelineOf(form, bits, N, K);
    for (const M of numbers(options.rows)) {
      const candidates = await timeForms({
        bits,
        M,
        N,
        K,
        pipelines,
        weights,
        a,
        c,
        bytes: valueBytes + scaleBytes,
      });
      const times = candidates
        .map(({ name, gpu }) => `${name} ${(median(gpu) * 1e6).toFixed(1)}`)
        .join('  ');
      table.push(
        `${String(bits).padStart(2)} bits  M ${String(M).padStart(4)}  N ${String(N).padStart(4)}  K ${String(K).padStart(4)}   ${times}`,
      );
      console.error(table.at(-1));
    }
    for (const made of [a, c, ...weights.flat()]) made.destroy();
  }
}
console.log(`\nFastest form first, microseconds:\n${table.join('\n')}`);
process.exit(0); // whatever Dawn still holds
