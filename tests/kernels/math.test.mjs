// The scalar functions of kernels/math.wgsl and kernels/trigonometry.wgsl against doubles, over a sweep of all f32 and around special values.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { kernel, openDevices, run } from './harness.mjs';
import { halfToNumber } from './weights.mjs';

const PI = Math.PI;
const LEAST_NORMAL = 2 ** -126;

// erf by its series, erfc by Lentz's continued fraction (Abramowitz and Stegun 7.1.5 and 7.1.14).
function erf(x) {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return NaN;
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let [sum, term] = [x, x];
    for (let n = 1; n < 80; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(PI)) * sum;
  }
  let tail = 0;
  for (let n = 80; n > 0; n--) tail = n / 2 / (a + tail);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(PI) / (a + tail));
}

const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
// Math.pow follows C but for these two.
const pow = (x, y) =>
  x === 1 || (Math.abs(x) === 1 && Math.abs(y) === Infinity) ? 1 : Math.pow(x, y);
const floorMod = (x, y) => (x % y !== 0 && x % y < 0 !== y < 0 ? (x % y) + y : x % y);

// reference, largest relative error allowed, and what part of the error grows with the argument (WGSL's exp: 3 + 2 |x| ULP)
const UNARY = {
  exp_f32: [Math.exp, 3e-7, (x) => Math.abs(x)],
  expm1_f32: [Math.expm1, 4e-7, (x) => Math.abs(x)],
  log_f32: [Math.log, 3e-7],
  log1p_f32: [Math.log1p, 3e-7],
  softplus_f32: [softplus, 4e-7, (x) => Math.max(-x, 0)],
  sigmoid_f32: [(x) => 1 / (1 + Math.exp(-x)), 4e-7, (x) => Math.abs(x)],
  erf_f32: [erf, 3e-7],
  tanh_f32: [Math.tanh, 3e-7],
  sinh_f32: [Math.sinh, 4e-7, (x) => Math.abs(x)],
  cosh_f32: [Math.cosh, 4e-7, (x) => Math.abs(x)],
  asinh_f32: [Math.asinh, 5e-7],
  acosh_f32: [Math.acosh, 5e-7],
  atanh_f32: [Math.atanh, 5e-7],
  sin_f32: [Math.sin, 4e-7],
  cos_f32: [Math.cos, 4e-7],
  tan_f32: [Math.tan, 6e-7],
  asin_f32: [Math.asin, 4e-7],
  acos_f32: [Math.acos, 4e-7],
  atan_f32: [Math.atan, 4e-7],
};

// Errors that are relative to the argument: the result cancels where it is small.
const GELU = {
  gelu_f32: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  gelu_tanh_f32: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / PI) * (x + 0.044715 * x ** 3))),
};

const BINARY = {
  pow_f32: [pow, 1e-6, (x, y) => Math.min(2 * Math.abs(y * Math.log(Math.abs(x))), 208) || 0],
  fmod_f32: [(x, y) => x % y, 0],
  mod_f32: [floorMod, 1e-7],
  maximum_f32: [Math.max, 0],
  minimum_f32: [Math.min, 0],
};

const SPECIALS = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  2,
  -2,
  3,
  -3,
  1 / 3,
  5.3,
  -5.3,
  10,
  64,
  65,
  88,
  -88,
  100,
  -100,
  1e-7,
  -1e-7,
  1e-20,
  -1e-20,
  1e10,
  -1e10,
  3.4e38,
  -3.4e38,
  1.17549435e-38,
  Infinity,
  -Infinity,
  NaN,
  16777216,
  -16777217,
  0.999999940395,
  1.00000011921,
];

// Every 40,009th f32 by bits, normal ones only, and a denser sweep of -12..12.
function sweep() {
  const values = [...SPECIALS];
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  for (let i = 0; i < 2 ** 32; i += 40009) {
    bits[0] = i;
    if (Math.abs(float[0]) >= LEAST_NORMAL) values.push(float[0]);
  }
  for (let i = -12000; i <= 12000; i++) values.push(i / 1000 + 1e-5);
  return Float32Array.from(values);
}

const evaluate = async (device, call, x, y = x, Type = Float32Array) => {
  const code = `@group(0) @binding(0) var<storage, read_write> xs: array<f32>;
@group(0) @binding(1) var<storage, read_write> ys: array<f32>;
@group(0) @binding(2) var<storage, read_write> results: array<u32>;
fn count() -> u32 { return arrayLength(&xs); }
fn element(i: u32) { let x = xs[i]; let y = ys[i]; results[i] = bitcast<u32>(${call}); }
${kernel('math')}\n${kernel('trigonometry')}\n${kernel('elementwise')}`;
  const buffers = [x, y, new Uint32Array(x.length)];
  return run(device, { code, buffers, output: 2, workgroups: Math.ceil(x.length / 256) + 1, Type });
};

// A subnormal argument or result may be flushed.
function check(name, actual, expected, tolerance, growth, describe) {
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const want = Math.fround(expected[i]);
    const got = actual[i];
    if (Object.is(want, got) || (Number.isNaN(want) && Number.isNaN(got))) continue;
    if (want === got && want === 0 && tolerance > 0) continue;
    const error = Math.abs(got - expected[i]) / (Math.abs(expected[i]) + LEAST_NORMAL * 1e7);
    const allowed = tolerance + 1.2e-7 * growth(i);
    // Next to the largest f32, infinity is a rounding away.
    if (Math.abs(want) > 3.4e38 && Math.abs(got) > 3.4e38 && want > 0 === got > 0) continue;
    if (Math.abs(want) < LEAST_NORMAL && Math.abs(got) <= LEAST_NORMAL) continue;
    assert.ok(
      error <= allowed,
      `${name}(${describe(i)}) is ${got}, not ${want}: off by ${error}, allowed ${allowed}`,
    );
    worst = Math.max(worst, error);
  }
  return worst;
}

let devices;
before(async () => (devices = await openDevices()));
after(() => Object.values(devices).forEach((device) => device.destroy()));

const xs = sweep();
for (const [name, [reference, tolerance, growth = () => 0]] of Object.entries(UNARY)) {
  test(name, async (t) => {
    const actual = await evaluate(devices.plain, `${name}(x)`, xs);
    const worst = check(
      name,
      actual,
      Array.from(xs, reference),
      tolerance,
      (i) => Math.min(growth(xs[i]), 104),
      (i) => xs[i],
    );
    t.diagnostic(`largest relative error ${worst.toExponential(1)}`);
  });
}

for (const [name, reference] of Object.entries(GELU)) {
  test(name, async () => {
    const inputs = xs.filter((x) => Math.abs(x) < 1e12);
    const actual = await evaluate(devices.plain, `${name}(x)`, inputs);
    inputs.forEach((x, i) => {
      const error = Math.abs(actual[i] - reference(x));
      assert.ok(
        error <= 2e-7 * Math.abs(x) + LEAST_NORMAL,
        `${name}(${x}) is ${actual[i]}: off by ${error}`,
      );
    });
  });
}

for (const [name, [reference, tolerance, growth = () => 0]] of Object.entries(BINARY)) {
  test(name, async (t) => {
    const pairs = SPECIALS.flatMap((a) => SPECIALS.map((b) => [a, b]));
    for (let i = 0; i < xs.length; i += 3)
      pairs.push([xs[i], SPECIALS[i % SPECIALS.length]], [Math.abs(xs[i]), (i % 997) / 50 - 9]);
    const x = Float32Array.from(pairs, ([a]) => a);
    const y = Float32Array.from(pairs, ([, b]) => b);
    const actual = await evaluate(devices.plain, `${name}(x, y)`, x, y);
    const expected = Array.from(x, (a, i) => reference(a, y[i]));
    const worst = check(
      name,
      actual,
      expected,
      tolerance,
      (i) => growth(x[i], y[i]),
      (i) => `${x[i]}, ${y[i]}`,
    );
    t.diagnostic(`largest relative error ${worst.toExponential(1)}`);
  });
}

test('fmod_i32 and mod_i32', async () => {
  const values = [0, 1, -1, 2, -2, 7, -7, 100, -100, 2147483647, -2147483648, 12345678, -87654321];
  const pairs = values.flatMap((a) => values.map((b) => [a, b]));
  const x = Int32Array.from(pairs, ([a]) => a);
  const y = Int32Array.from(pairs, ([, b]) => b);
  const call = (name) => `${name}(bitcast<i32>(x), bitcast<i32>(y))`;
  const fmod = await evaluate(devices.plain, call('fmod_i32'), x, y, Int32Array);
  assert.deepEqual(
    fmod,
    Int32Array.from(pairs, ([a, b]) => a % b),
  );
  const floor = await evaluate(devices.plain, call('mod_i32'), x, y, Int32Array);
  assert.deepEqual(
    floor,
    Int32Array.from(pairs, ([a, b]) => floorMod(a, b)),
  );
});

test('every half to f32', async () => {
  const halves = Uint32Array.from({ length: 65536 }, (_, i) => i);
  const actual = await evaluate(devices.plain, 'half_value(bitcast<u32>(x))', halves);
  for (let i = 0; i < 65536; i++)
    assert.ok(Object.is(actual[i], halfToNumber(i)), `half ${i} is ${actual[i]}`);
});

test('f32 to the nearest half, ties to even', async () => {
  const values = [
    NaN,
    Infinity,
    -Infinity,
    65519.996,
    65520,
    1e9,
    -1e9,
    2 ** -26,
    2 ** -25,
    -(2 ** -25),
    0,
    -0,
  ];
  const wanted = [0x7e00, 0x7c00, 0xfc00, 0x7bff, 0x7c00, 0x7c00, 0xfc00, 0, 0, 0x8000, 0, 0x8000];
  for (let half = 0; half < 0x7bff; half++) {
    const [below, above] = [halfToNumber(half), halfToNumber(half + 1)];
    const middle = (below + above) / 2;
    const step = (above - below) / 1024;
    values.push(below, middle, middle + step, -(middle - step));
    wanted.push(half, half & 1 ? half + 1 : half, half + 1, half | 0x8000);
  }
  const actual = await evaluate(
    devices.plain,
    'half_bits(x)',
    Float32Array.from(values),
    undefined,
    Uint32Array,
  );
  for (let i = 0; i < wanted.length; i++)
    assert.equal(actual[i], wanted[i], `the half of ${values[i]}`);
  const rounded = await evaluate(devices.plain, 'round_to_half(x)', Float32Array.from(values));
  rounded.forEach((value, i) =>
    assert.ok(Object.is(value, halfToNumber(wanted[i])), `${values[i]} as a half`),
  );
});

test('round is to even', async () => {
  const values = Float32Array.from([0.5, 1.5, 2.5, -0.5, -1.5, 8388609, 2.4999998, -0.2]);
  assert.deepEqual(
    await evaluate(devices.plain, 'round(x)', values),
    Float32Array.from([0, 2, 2, -0, -2, 8388609, 2, -0]),
  );
});
