// Where a resized element lies in what it is made from, and the filters around it.

// The f32 nearest to a / b, as IEEE 754 rounds; WGSL's own may be 2.5 ULP off, and floor or a comparison after it another
// element. b is a normal number.
fn resample_quotient(a: f32, b: f32) -> f32 {
  let x = bitcast<u32>(a);
  let y = bitcast<u32>(b);
  var dividend = (x & 0x7fffffu) | 0x800000u;
  let divisor = (y & 0x7fffffu) | 0x800000u;
  var exponent = i32((x >> 23u) & 0xffu) - i32((y >> 23u) & 0xffu) + 127;
  if (dividend < divisor) {
    dividend <<= 1u;
    exponent -= 1;
  }
  if (a == 0.0 || exponent < 1 || exponent > 253) {
    return a / b;
  }
  // 24 bits and one to round by, eight at a time.
  var quotient = 1u;
  var rest = dividend - divisor;
  for (var i = 0u; i < 3u; i++) {
    rest <<= 8u;
    quotient = (quotient << 8u) | (rest / divisor);
    rest %= divisor;
  }
  let up = (quotient & 1u) != 0u && (rest != 0u || (quotient & 2u) != 0u);
  quotient = (quotient >> 1u) + select(0u, 1u, up);
  let sign = (x ^ y) & 0x80000000u;
  return bitcast<f32>(sign | ((u32(exponent) << 23u) + (quotient - 0x800000u)));
}

// The nearest whole number, of two the lower one.
fn resample_round_down(x: f32) -> f32 {
  return ceil(x - 0.5);
}

// Of two the higher one. x + 0.5 could itself round up.
fn resample_round_up(x: f32) -> f32 {
  let below = floor(x);
  return below + select(0.0, 1.0, x - below >= 0.5);
}

fn resample_linear(distance: f32) -> f32 {
  return max(1.0 - abs(distance), 0.0);
}

// R. Keys, Cubic Convolution Interpolation for Digital Image Processing, 1981.
fn resample_cubic(distance: f32, a: f32) -> f32 {
  let d = abs(distance);
  if (d < 1.0) {
    return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
  }
  return select(0.0, (((d - 5.0) * d + 8.0) * d - 4.0) * a, d < 2.0);
}
