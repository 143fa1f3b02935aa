// Quantizing and packing on the GPU gives the bytes of the C++ codec.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { kernel, openDevices, randoms, run } from './harness.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TOOL =
  process.env.SUBBYTE_QUANTIZE_TOOL ??
  join(
    dirname(process.env.SUBBYTE ?? join(ROOT, 'build/subbyte')),
    'src/quantize/subbyte_quantize_tool',
  );

let devices;
before(async () => (devices = await openDevices()));
after(() => Object.values(devices).forEach((device) => device.destroy()));

const literal = (x) => (Number.isInteger(x) ? `${x}.0f` : `${x}f`);

// scale_exponent as src/quantize/encoding.cc has it: the largest magnitude at 2^14 .. 2^15.
function exponentFor(values) {
  const largest = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return largest === 0 ? -126 : Math.min(Math.max(Math.floor(Math.log2(largest)) - 14, -126), 113);
}

function packedByCodec({ bits, group, zeroBits, zeroStep, zeroDefault, exponent, k, values }) {
  const settings = [bits, group, exponent, zeroBits, zeroStep, zeroDefault, k];
  const done = spawnSync(TOOL, settings.map(String), {
    input: Buffer.from(values.buffer, values.byteOffset, values.byteLength),
    maxBuffer: 1 << 28,
  });
  assert.equal(done.status, 0, `${TOOL}: ${done.error ?? done.stderr}`);
  return done.stdout;
}

async function packedByGpu(device, settings) {
  const { bits, group, zeroBits, zeroStep, zeroDefault, exponent, k, values } = settings;
  const rows = values.length / k;
  const groups = Math.ceil(k / group);
  const valueWords = rows * Math.ceil((k * bits) / 32);
  const scaleWords = Math.ceil((rows * groups) / 2);
  const zeroBytes = rows * Math.ceil((groups * zeroBits) / 8);
  const at = { GROUPS: 0, VALUES: rows * groups };
  at.SCALES = at.VALUES + valueWords;
  at.ZEROS = at.SCALES + scaleWords;
  const words = at.ZEROS + Math.ceil(zeroBytes / 4);
  const code = `@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> weights: array<u32>;
const Q_BITS: u32 = ${bits}u;
const Q_LARGEST: u32 = ${2 ** bits - 1}u;
const Q_GROUP: u32 = ${group}u;
const Q_ZERO_BITS: u32 = ${zeroBits}u;
const Q_ZERO_STEPS: u32 = ${2 ** zeroBits - 1}u;
const Q_ZERO_STEP: f32 = ${literal(zeroStep)};
const Q_ZERO_DEFAULT: f32 = ${literal(zeroDefault)};
const Q_EXPONENT: i32 = ${exponent};
fn rows() -> u32 { return ${rows}u; }
fn depth() -> u32 { return ${k}u; }
fn weight_bits(row: u32, k: u32) -> u32 { return weights[row * ${k}u + k]; }
fn store_word(i: u32, word: u32) { out[${at.VALUES}u + i] = word; }
fn store_group(i: u32, word: u32) { out[${at.GROUPS}u + i] = word; }
fn load_group(i: u32) -> u32 { return out[${at.GROUPS}u + i]; }
fn store_scale(i: u32, word: u32) { out[${at.SCALES}u + i] = word; }
fn store_zero(i: u32, word: u32) { out[${at.ZEROS}u + i] = word; }
`;
  const weights = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const passes = [
    { bodies: ['quantize', 'quantize_values'], invocations: rows * groups, inputs: [weights] },
    { bodies: ['quantize_groups'], invocations: words - at.SCALES, inputs: [] },
  ];
  let out = new Uint32Array(words).fill(0xeeeeeeee);
  for (const { bodies, invocations, inputs } of passes) {
    out = await run(device, {
      code: [code, ...bodies.map(kernel)].join('\n'),
      buffers: [out, ...inputs],
      output: 0,
      workgroups: Math.ceil(invocations / 64),
      Type: Uint32Array,
    });
  }
  const bytes = Buffer.from(out.buffer);
  return Buffer.concat([
    bytes.subarray(at.VALUES * 4, at.SCALES * 4),
    bytes.subarray(at.SCALES * 4, at.SCALES * 4 + rows * groups * 2),
    bytes.subarray(at.ZEROS * 4, at.ZEROS * 4 + zeroBytes),
  ]);
}

async function assertSame(settings) {
  const all = { exponent: exponentFor(settings.values), ...settings };
  const expected = packedByCodec(all);
  const found = await packedByGpu(devices.plain, all);
  assert.equal(found.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (found[i] !== expected[i]) {
      assert.fail(`byte ${i} of ${expected.length} is ${found[i]}, not ${expected[i]}`);
    }
  }
}

const WIDTHS = [
  { bits: 8, zeroBits: 0, zeroStep: 1, zeroDefault: 128 },
  { bits: 8, zeroBits: 8, zeroStep: 1, zeroDefault: 0 },
  { bits: 4, zeroBits: 6, zeroStep: 0.25, zeroDefault: 0 },
  { bits: 4, zeroBits: 5, zeroStep: 0.5, zeroDefault: 0 },
  { bits: 4, zeroBits: 0, zeroStep: 1, zeroDefault: 7.5 },
  { bits: 3, zeroBits: 5, zeroStep: 0.25, zeroDefault: 0 },
  { bits: 3, zeroBits: 0, zeroStep: 1, zeroDefault: 3.5 },
  { bits: 2, zeroBits: 4, zeroStep: 0.25, zeroDefault: 0 },
  { bits: 2, zeroBits: 0, zeroStep: 1, zeroDefault: 1.5 },
];

const nameOf = ({ bits, zeroBits }) =>
  `${bits} bits, ${zeroBits ? `zero points of ${zeroBits}` : 'one zero point'}`;

/** Rows of k that are hard in ways of their own. */
function hardRows(k) {
  const noise = randoms(k * 40, k);
  const rows = [];
  const add = (value) =>
    rows.push(Float32Array.from({ length: k }, (_, i) => Math.fround(value(i))));
  for (const value of [0, -0, 1, -1, 0.1, -3e-5, 1e-20, 1.9999999, -1.5]) {
    add(() => value); // all equal
    add((i) => (i === k - 1 ? value : 0)); // one spike
    add((i) => (i % 2 ? value : -value));
    add((i) => value + 1e-7 * i);
  }
  add((i) => 2 ** (1 - 5 * i)); // a huge range, down to subnormal
  add((i) => (i % 2 ? 1 : -1) * 2 ** (-2 * i));
  add((i) => ((i % 16) - 7.5) / 8); // ties between codes
  add((i) => ((i % 31) - 15) / 16);
  add((i) => ((i % 511) - 255) / 256);
  add((i) => noise[i] * 1e-6); // below the scales
  add((i) => noise[i] * 2 ** -20 + (i === 0 ? 1.5 : 0)); // an outlier
  add((i) => Math.abs(noise[i]));
  add((i) => -Math.abs(noise[i]));
  add((i) => 1 + noise[i] * 1e-3); // far from 0
  for (let r = 0; r < 30; r++) add((i) => noise[r * k + i] * 2 ** (r % 7));
  return rows;
}

function joined(rows) {
  const values = new Float32Array(rows.length * rows[0].length);
  rows.forEach((row, r) => values.set(row, r * row.length));
  return values;
}

for (const width of WIDTHS) {
  test(`hard rows and tails: ${nameOf(width)}`, async () => {
    for (const k of [1, 9, 25, 32, 33, 96, 120]) {
      await assertSame({ ...width, group: 32, k, values: joined(hardRows(k)) });
    }
    await assertSame({ ...width, group: 64, k: 200, values: joined(hardRows(200)) });
  });

  // Every pair of these as a group: all the ways in which one end, both or none lies at a limit.
  test(`all pairs: ${nameOf(width)}`, async () => {
    const ends = [
      0,
      1e-40,
      1e-38,
      2 ** -126,
      2 ** -50,
      2 ** -28,
      2 ** -24,
      2 ** -16,
      1e-3,
      0.1,
      0.3,
      0.5,
    ];
    for (const near of [0.75, 1, 1.25, 1.5, 1.75]) {
      for (const ulps of [-2, -1, 0, 1, 2]) ends.push(near * (1 + ulps * 2 ** -23));
    }
    const signed = ends.flatMap((x) => [x, -x]);
    const values = joined(signed.flatMap((a) => signed.map((b) => Float32Array.of(a, b))));
    await assertSame({ ...width, group: 32, k: 2, values });
    await assertSame({ ...width, group: 32, k: 2, values, exponent: 3 }); // scales at their smallest
  });

  test(`random: ${nameOf(width)}`, async () => {
    for (const size of [1, 1e-25, 1e10]) {
      const values = randoms(300 * 160, width.bits).map((x) => x * size);
      await assertSame({ ...width, group: 32, k: 160, values });
    }
  });
}

test('a tensor of zeros', async () => {
  for (const width of WIDTHS) {
    await assertSame({ ...width, group: 32, k: 40, values: new Float32Array(80) });
  }
});
