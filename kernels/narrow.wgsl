// What is cast to floats of 8 bits and fewer, and to integers of fewer.

// x as a float of so few bits would hold it, ties to even: the exponents of its numbers begin with
// `least`, which is that of its subnormals, and it has `mantissa` bits behind the point. What is
// larger than `largest` is that, or else what `beyond` says: an infinity or NaN.
fn round_to_narrow(x: f32, least: i32, mantissa: i32, largest: f32, beyond: u32) -> f32 {
  let bits = bitcast<u32>(x);
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return x; }
  // From 2^64 on all is larger; the power of two and its inverse are normal numbers.
  let unit = clamp(i32(magnitude >> 23u) - 127, least, 64) - mantissa;
  let up = bitcast<f32>(u32(127 - unit) << 23u);
  let down = bitcast<f32>(u32(127 + unit) << 23u);
  let rounded = round(bitcast<f32>(min(magnitude, 0x7f7fffffu)) * up) * down;
  let saturated = select(bitcast<f32>(beyond), largest, beyond == 0x7f7fffffu);
  let value = select(saturated, rounded, rounded <= largest);
  return bitcast<f32>(bitcast<u32>(value) | (bits & 0x80000000u));
}

// -0 where x is NaN, which float4e2m1 has none of.
fn nan_to_zero(x: f32) -> f32 {
  return bitcast<f32>(select(bitcast<u32>(x), 0x80000000u, (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u));
}

// x, of which a zero has no sign.
fn positive_zero(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  return bitcast<f32>(select(bits, 0u, (bits << 1u) == 0u));
}

// x rounded to a whole number, away from 0 where two are as near.
fn round_away(x: f32) -> f32 {
  let whole = trunc(x);
  return select(whole, whole + sign(x), abs(x - whole) >= 0.5f);
}
