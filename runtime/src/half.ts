// IEEE 754 binary16 and binary32: not every engine has Float16Array.

const SIGN = 0x8000;
const INFINITE = 0x7f800000;

/** The floats of half bits; exact. */
export function halfToFloat(half: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(half.length);
  const out = new Float32Array(bits.buffer);
  half.forEach((h, i) => {
    // A half's exponent and mantissa where a float has its own stand for a number 2^112 too small, subnormals included.
    bits[i] = (h & ~SIGN) << 13;
    out[i]! *= 2 ** 112;
    bits[i]! |= ((h & SIGN) << 16) | ((h & 0x7c00) === 0x7c00 ? INFINITE : 0);
  });
  return out;
}

/** The nearest halves, ties to even, overflow to infinity. */
export function floatToHalf(float: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(float.buffer, float.byteOffset, float.length);
  const sum = new Float32Array(1);
  const sumBits = new Uint32Array(sum.buffer);
  return Uint16Array.from(bits, (x, i) => {
    const magnitude = x & 0x7fffffff;
    let half = magnitude > INFINITE ? 0x7e00 : 0x7c00;
    if (magnitude < 0x38800000) {
      // Beside a half, a float's last bit is worth what a subnormal half's is: adding rounds.
      sum[0] = Math.abs(float[i]!) + 0.5;
      half = sumBits[0]! - 0x3f000000;
    } else if (magnitude < 0x477ff000) {
      half = (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
    }
    return ((x >>> 16) & SIGN) | half;
  });
}
