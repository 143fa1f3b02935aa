// Packed weights as docs/format.md describes them, written the slow way, and the WGSL prologue that reads them.
import { randoms } from './harness.mjs';

const HALVES = [0x0001, 0x03ff, 0x8001, 0x0400, 0x7bff, 0xfbff, 0x8000, 0x3c00]; // subnormals, limits, -0, 1

/** The value of half bits, exactly. */
export function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

function setBits(bytes, bit, count, value) {
  for (let i = 0; i < count; i++) {
    if ((value >> i) & 1) bytes[(bit + i) >> 3] |= 1 << ((bit + i) & 7);
  }
}

/**
 * rows * k seeded weights. Returns `value(n, i)`, and `parts` (values, scales, zeros as bytes) with the constants that
 * the prologue states. What pads a row of halves or floats is NaN here, to see that it is not read as a weight.
 */
export function makeWeights({ bits, rows, k, group = 32, zeroBits = 0, seed = 9, alignRows = 1 }) {
  const noise = randoms(rows * k * 2, seed);
  const rowBits = bits >= 16 ? k * bits : Math.ceil(k / group) * group * bits;
  const rowWords = Math.ceil(rowBits / 32 / alignRows) * alignRows;
  const values = new Uint8Array(rows * rowWords * 4).fill(bits >= 16 ? 0xff : 0);
  if (bits === 32) {
    const floats = new Float32Array(values.buffer);
    for (let n = 0; n < rows; n++) floats.set(noise.subarray(n * k, (n + 1) * k), n * rowWords);
    const value = (n, i) => noise[n * k + i];
    return { value, values, scales: null, zeros: null, bits, rowWords };
  }
  if (bits === 16) {
    const halves = new Uint16Array(values.buffer);
    const value = (n, i) => halfToNumber(halves[n * rowWords * 2 + i]);
    for (let n = 0; n < rows; n++) {
      for (let i = 0; i < k; i++) {
        const random = (noise[n * k + i] * 0x8000) & 0xffff;
        // Magnitudes below 2, and now and then one of the special halves that are small.
        const half = (n + i) % 13 === 0 ? HALVES[(n + i) % 3] : random & 0xbfff;
        halves[n * rowWords * 2 + i] = half;
      }
    }
    return { value, values, scales: null, zeros: null, bits, rowWords };
  }

  const groups = Math.ceil(k / group);
  const [zeroStep, zeroDefault, factor] = [zeroBits === 6 ? 0.25 : 1, 2 ** (bits - 1), 0.5];
  const zeroBytes = Math.ceil((groups * zeroBits) / 8);
  const scales = new Uint16Array(rows * groups);
  const zeros = zeroBits ? new Uint8Array(rows * zeroBytes) : null;
  const q = new Uint8Array(rows * k);
  const z = new Float64Array(rows * groups).fill(zeroDefault);
  for (let n = 0; n < rows; n++) {
    for (let i = 0; i < k; i++) {
      q[n * k + i] = Math.floor(((noise[n * k + i] + 1) / 2) * 2 ** bits);
      setBits(values, n * rowWords * 32 + i * bits, bits, q[n * k + i]);
    }
    for (let g = 0; g < groups; g++) {
      const r = (noise[rows * k + n * groups + g] + 1) / 2;
      scales[n * groups + g] = 0x2000 + Math.floor(r * 0x1800);
      if (zeroBits) {
        const stored = Math.floor(r * 1000) % 2 ** zeroBits;
        setBits(zeros, n * zeroBytes * 8 + g * zeroBits, zeroBits, stored);
        z[n * groups + g] = stored * zeroStep;
      }
    }
  }
  const value = (n, i) => {
    const at = n * groups + Math.floor(i / group);
    return halfToNumber(scales[at]) * factor * (q[n * k + i] - z[at]);
  };
  return {
    value,
    values,
    scales,
    zeros,
    bits,
    rowWords,
    groups,
    group,
    zeroBits,
    zeroBytes,
    zeroStep,
    zeroDefault,
    factor,
  };
}

const literal = (x) => (Number.isInteger(x) ? `${x}.0` : `${x}`);

/** The bindings (from number `binding` on), constants and accessors that the library files ask for, and the bound arrays. */
export function weightPrologue(w, binding) {
  const buffers = [w.values];
  const narrow = w.bits === 2 || w.bits === 3; // as src/plan binds them
  let code = `@group(0) @binding(${binding}) var<storage, read> w_values: array<${narrow ? 'u32' : 'vec4<u32>'}>;
fn row_words() -> u32 { return ${w.rowWords}u; }
fn weight_row(b: u32, n: u32) -> u32 { return n; }
const W_ROWS_OF_VEC4 = ${w.rowWords % 4 === 0};
${narrow ? '' : 'fn weight_vec4(i: u32) -> vec4<u32> { return w_values[i]; }'}
fn weight_word(i: u32) -> u32 { return w_values[${narrow ? 'i' : 'i >> 2u][i & 3u'}]; }\n`;
  if (w.bits === 32) return { code, buffers, libraries: ['weights_f32'] };
  if (w.bits === 16) return { code, buffers, libraries: ['half', 'weights_f16'] };
  buffers.push(w.scales);
  code += `@group(0) @binding(${binding + 1}) var<storage, read> w_scales: array<u32>;
fn scale_bytes() -> u32 { return ${w.groups * 2}u; }
const W_GROUP: u32 = ${w.group}u;
const W_SCALE_BITS: u32 = 16u;
const W_ZERO_BITS: u32 = ${w.zeroBits}u;
fn zero_bytes() -> u32 { return ${w.zeroBytes}u; }
const W_ZERO_STEP: f32 = ${literal(w.zeroStep)};
const W_ZERO_DEFAULT: f32 = ${literal(w.zeroDefault)};
fn scale_factor() -> f32 { return ${literal(w.factor)}; }
fn scale_word(i: u32) -> u32 { return w_scales[i]; }\n`;
  if (w.zeros) {
    buffers.push(w.zeros);
    code += `@group(0) @binding(${binding + 2}) var<storage, read> w_zeros: array<u32>;
fn zero_word(i: u32) -> u32 { return w_zeros[i]; }\n`;
  } else {
    code += 'fn zero_word(i: u32) -> u32 { return 0u; }\n';
  }
  return { code, buffers, libraries: ['weights_groups', 'weights_affine', `weights_q${w.bits}`] };
}
