// IEEE 754 binary16 and binary32, bit by bit: not every engine has Float16Array.

/** The floats of half bits; exact. */
export function halfToFloat(half: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Uint32Array(half.length);
  for (let i = 0; i < half.length; ++i) {
    const h = half[i]!;
    const sign = (h & 0x8000) << 16;
    const exponent = (h >> 10) & 31;
    const mantissa = h & 0x3ff;
    if (exponent === 31) {
      out[i] = sign | 0x7f800000 | (mantissa << 13);
    } else if (exponent !== 0) {
      out[i] = sign | ((exponent + 112) << 23) | (mantissa << 13);
    } else if (mantissa !== 0) {
      const shift = Math.clz32(mantissa) - 21;
      out[i] = sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13);
    } else {
      out[i] = sign;
    }
  }
  return new Float32Array(out.buffer);
}

/** The nearest halves, ties to even, overflow to infinity. */
export function floatToHalf(float: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(float.buffer, float.byteOffset, float.length);
  const out = new Uint16Array(float.length);
  for (let i = 0; i < bits.length; ++i) {
    const x = bits[i]!;
    const magnitude = x & 0x7fffffff;
    let half: number;
    if (magnitude > 0x7f800000) {
      half = 0x7e00;
    } else if (magnitude >= 0x477ff000) {
      half = 0x7c00;
    } else if (magnitude >= 0x38800000) {
      const rebiased = magnitude - 0x38000000;
      half = (rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13;
    } else if (magnitude < 0x33000000) {
      half = 0;
    } else {
      const shift = 126 - (magnitude >>> 23);
      const mantissa = (magnitude & 0x7fffff) | 0x800000;
      const rest = mantissa & ((1 << shift) - 1);
      const tie = 1 << (shift - 1);
      half = mantissa >>> shift;
      if (rest > tie || (rest === tie && (half & 1) === 1)) ++half;
    }
    out[i] = ((x >>> 16) & 0x8000) | half;
  }
  return out;
}
