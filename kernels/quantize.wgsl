// Rounding to nearest as src/quantize does it (codec_reference.cc, without a search), to the bit. WGSL's division may be
// off by 2.5 ULP, its other operations round either way and may flush subnormal numbers: so numbers are compared and
// combined as integers, or by products that are exact.
//
// Constants: Q_BITS, Q_LARGEST = 2^Q_BITS - 1; Q_ZERO_STEPS, the largest stored zero point, 0 where none is stored;
// Q_ZERO_STEP; Q_ZERO_DEFAULT; Q_EXPONENT, the scale_exponent of the tensor.

const SIGN: u32 = 0x80000000u;
const SMALLEST_SCALE: u32 = 0x0400u; // bits of the smallest normal half
const LARGEST_SCALE: u32 = 0x7bffu;

// Bits of a finite f32 to an integer of the same order; both zeros are one.
fn ordered(bits: u32) -> i32 {
  let magnitude = i32(bits & 0x7fffffffu);
  return select(magnitude, -magnitude, (bits & SIGN) != 0u);
}

// Bits of the f32 w to those of w * 2^-Q_EXPONENT, rounded to nearest, ties to even, where it is subnormal.
fn normalized(bits: u32) -> u32 {
  let sign = bits & SIGN;
  var exponent = i32((bits >> 23u) & 0xffu);
  var significand = bits & 0x7fffffu;
  if (exponent == 0) {
    if (significand == 0u) {
      return sign;
    }
    let up = countLeadingZeros(significand) - 8u;
    significand <<= up;
    exponent = 1 - i32(up);
  } else {
    significand |= 0x800000u;
  }
  exponent -= Q_EXPONENT;
  if (exponent >= 1) {
    return sign | (u32(exponent) << 23u) | (significand & 0x7fffffu);
  }
  let down = u32(min(1 - exponent, 25));
  let kept = significand >> down;
  let lost = significand & ((1u << down) - 1u);
  let half = 1u << (down - 1u);
  let up = lost > half || (lost == half && (kept & 1u) == 1u);
  return sign | (kept + select(0u, 1u, up));
}

// The sum of two numbers that are not negative, rounded to nearest, ties to even. A subnormal one counts as 0: nothing
// that is asked of the sum can tell.
fn add_positive(a: u32, b: u32) -> u32 {
  let large = max(a, b);
  let small = min(a, b);
  let apart = (large >> 23u) - (small >> 23u);
  if (small < 0x800000u || apart > 25u) {
    return large;
  }
  // Six bits below the last: with the last of them for all that is shifted out.
  let significand = ((large & 0x7fffffu) | 0x800000u) << 6u;
  let addend = ((small & 0x7fffffu) | 0x800000u) << 6u;
  let shifted = (addend >> apart) | select(0u, 1u, (addend & ((1u << apart) - 1u)) != 0u);
  var sum = significand + shifted;
  var exponent = large >> 23u;
  if (sum >= 0x40000000u) {
    sum = (sum >> 1u) | (sum & 1u);
    exponent += 1u;
  }
  let lost = sum & 63u;
  let kept = sum >> 6u;
  let up = lost > 32u || (lost == 32u && (kept & 1u) == 1u);
  // A carry out of the significand is one more in the exponent, as it should be.
  return (exponent << 23u) + ((kept + select(0u, 1u, up)) - 0x800000u);
}

// The value of a normal half; of 0x7c00 it is 65536. Times two and less one unit it is a midpoint.
fn half_value_of(bits: u32) -> f32 {
  return bitcast<f32>((bits << 13u) + 0x38000000u);
}

// Bits of the normal half nearest to value / divisor, ties to even: value is not negative and below 2^17, divisor has at
// most 9 significant bits. A midpoint of halves (12 bits) times the divisor is exact.
fn scale_bits(value: f32, divisor: f32) -> u32 {
  let guess = clamp(value / divisor, 0x1p-14f, 65504.0f);
  var half = clamp((bitcast<u32>(guess) - 0x38000000u) >> 13u, SMALLEST_SCALE, LARGEST_SCALE);
  // The guess was rounded down, and is off by one at most.
  for (var step = 0u; step < 3u; step++) {
    let above = bitcast<f32>((half << 13u) + 0x38001000u) * divisor;
    let below = bitcast<f32>((half << 13u) + 0x37fff000u) * divisor;
    if (half < LARGEST_SCALE && (value > above || (value == above && (half & 1u) == 1u))) {
      half += 1u;
    } else if (half > SMALLEST_SCALE && (value < below || (value == below && (half & 1u) == 1u))) {
      half -= 1u;
    } else {
      break;
    }
  }
  return half;
}

struct GroupScale {
  scale: u32, // bits of a half
  zero: u32, // as stored
}

// The scale and zero point that cover the normalized values between `least` and `most`, both as ordered().
fn cover(least: i32, most: i32) -> GroupScale {
  let low = bitcast<f32>(u32(max(-least, 0)));
  let high = bitcast<f32>(u32(max(most, 0)));
  if (Q_ZERO_STEPS == 0u) {
    let above = scale_bits(high, f32(Q_LARGEST) - Q_ZERO_DEFAULT);
    return GroupScale(max(above, scale_bits(low, Q_ZERO_DEFAULT)), 0u);
  }
  let width = add_positive(bitcast<u32>(high), bitcast<u32>(low));
  let half = scale_bits(bitcast<f32>(width), f32(Q_LARGEST));
  // The whole number of steps nearest to low / scale, ties to even: n + 1/2 steps times the scale is exact.
  let step = half_value_of(half) * Q_ZERO_STEP;
  var n = clamp(floor(low / step), 0.0f, f32(Q_ZERO_STEPS));
  for (var i = 0u; i < 3u; i++) {
    let odd = (u32(n) & 1u) == 1u;
    let above = (n + 0.5f) * step;
    let below = (n - 0.5f) * step;
    if (n < f32(Q_ZERO_STEPS) && (low > above || (low == above && odd))) {
      n += 1.0f;
    } else if (n > 0.0f && (low < below || (low == below && odd))) {
      n -= 1.0f;
    } else {
      break;
    }
  }
  return GroupScale(half, u32(n));
}

fn zero_of(group: GroupScale) -> f32 {
  if (Q_ZERO_STEPS == 0u) {
    return Q_ZERO_DEFAULT;
  }
  return f32(group.zero) * Q_ZERO_STEP;
}

// The code nearest to x / scale + zero, ties to even. (q + 1/2 - zero) * scale is exact, and 0 or normal; x may be
// subnormal, so it is compared as an integer.
fn code_of(x: u32, scale: f32, zero: f32) -> u32 {
  var q = clamp(floor(bitcast<f32>(x) / scale + zero + 0.5f), 0.0f, f32(Q_LARGEST));
  let at = ordered(x);
  for (var step = 0u; step < 3u; step++) {
    let odd = (u32(q) & 1u) == 1u;
    let above = ordered(bitcast<u32>((q + 0.5f - zero) * scale));
    let below = ordered(bitcast<u32>((q - 0.5f - zero) * scale));
    if (q < f32(Q_LARGEST) && (at > above || (at == above && odd))) {
      q += 1.0f;
    } else if (q > 0.0f && (at < below || (at == below && odd))) {
      q -= 1.0f;
    } else {
      break;
    }
  }
  return u32(q);
}
