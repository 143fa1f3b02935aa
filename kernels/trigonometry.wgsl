// Trigonometric functions. WGSL promises sin and cos an absolute error of 2^-11 within -pi..pi and nothing beyond, asin,
// acos and atan 4096 units in the last place. Needs math. Polynomials are own minimax fits, or Taylor where that suffices.

// x - quadrant * pi/2 is `rest`, -pi/4..pi/4, with the digits of an f32 even where it is nearly 0.
struct Angle { quadrant: u32, rest: f32 }

struct Wide { high: u32, low: u32 }

fn multiply_wide(a: u32, b: u32) -> Wide {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let low = a0 * b0;
  let middle = a1 * b0 + (low >> 16u);
  let other = a0 * b1 + (middle & 0xffffu);
  return Wide(a1 * b1 + (middle >> 16u) + (other >> 16u), a * b);
}

// 2/pi in binary (Payne and Hanek, Radian reduction for trigonometric functions, 1983): x is an integer times 2^e, and
// only 96 of the digits make a difference, because four quadrants are a turn.
fn reduce_angle(magnitude: f32) -> Angle {
  if (magnitude < 0.78539816) {
    return Angle(0u, magnitude);
  }
  var digits = array<u32, 8>(
    0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu);
  let bits = bitcast<u32>(magnitude);
  let integer = (bits & 0x7fffffu) | 0x800000u;
  let first = (bits >> 23u) - 120u; // e + 30: the digit before those is worth a whole turn
  let word = first >> 5u;
  let shift = first & 31u;
  let w0 = (digits[word] << shift) | select(digits[word + 1u] >> (32u - shift), 0u, shift == 0u);
  let w1 = (digits[word + 1u] << shift) | select(digits[word + 2u] >> (32u - shift), 0u, shift == 0u);
  let w2 = (digits[word + 2u] << shift) | select(digits[word + 3u] >> (32u - shift), 0u, shift == 0u);
  // The product modulo 2^96: the lowest 94 bits are the fraction of a quadrant, the two above them count quadrants.
  let m1 = multiply_wide(integer, w1);
  let m2 = multiply_wide(integer, w2);
  let p1 = m1.low + m2.high;
  let p2 = integer * w0 + m1.high + select(0u, 1u, p1 < m1.low);
  var high = (p2 << 2u) | (p1 >> 30u);
  var low = (p1 << 2u) | (m2.low >> 30u);
  // To the nearest quadrant: the rest may be negative.
  let up = high >= 0x80000000u;
  if (up) {
    high = ~high + select(0u, 1u, low == 0u);
    low = ~low + 1u;
  }
  let zeros = countLeadingZeros(high);
  var top = low << (zeros & 31u);
  if (zeros < 32u) {
    top = (high << zeros) | select(low >> (32u - zeros), 0u, zeros == 0u);
  }
  let rest = f32(top) * power_of_two(-32 - i32(zeros)) * 1.57079633;
  return Angle((p2 >> 30u) + select(0u, 1u, up), select(rest, -rest, up));
}

// For -pi/4..pi/4.
fn sin_near_zero(x: f32) -> f32 {
  let z = x * x;
  return x + x * z * (-0.166666667 + z * (8.33333333e-3 + z * (-1.98412698e-4 + z * 2.75573192e-6)));
}

fn cos_near_zero(x: f32) -> f32 {
  let z = x * x;
  return 1.0 + z * (-0.5 + z * (4.16666667e-2 + z * (-1.38888889e-3 + z * (2.48015873e-5 - z * 2.75573192e-7))));
}

fn sin_of(angle: Angle) -> f32 {
  let value = select(sin_near_zero(angle.rest), cos_near_zero(angle.rest), (angle.quadrant & 1u) != 0u);
  return select(value, -value, (angle.quadrant & 2u) != 0u);
}

fn sin_f32(x: f32) -> f32 {
  if (is_nan(x) || is_infinite(x)) {
    return nan_f32();
  }
  let value = sin_of(reduce_angle(abs(x)));
  return select(value, -value, (bitcast<u32>(x) & 0x80000000u) != 0u);
}

fn cos_f32(x: f32) -> f32 {
  if (is_nan(x) || is_infinite(x)) {
    return nan_f32();
  }
  let angle = reduce_angle(abs(x));
  return sin_of(Angle(angle.quadrant + 1u, angle.rest));
}

fn tan_f32(x: f32) -> f32 {
  if (is_nan(x) || is_infinite(x)) {
    return nan_f32();
  }
  let angle = reduce_angle(abs(x));
  let value = sin_of(angle) / sin_of(Angle(angle.quadrant + 1u, angle.rest));
  return select(value, -value, (bitcast<u32>(x) & 0x80000000u) != 0u);
}

// asin for 0..1/2.
fn asin_near_zero(x: f32) -> f32 {
  let z = x * x;
  return x + x * z * (0.16666754 + z * (0.07495242 + z * (0.0454771 + z * (0.0241476 + z * 0.04221857))));
}

fn asin_f32(x: f32) -> f32 {
  let a = abs(x);
  if (a <= 0.5) {
    return copysign_f32(asin_near_zero(a), x);
  }
  if (!(a <= 1.0)) {
    return nan_f32();
  }
  return copysign_f32(1.57079633 - 2.0 * asin_near_zero(sqrt((1.0 - a) * 0.5)), x);
}

fn acos_f32(x: f32) -> f32 {
  let a = abs(x);
  if (a <= 0.5) {
    return 1.57079633 - copysign_f32(asin_near_zero(a), x);
  }
  if (!(a <= 1.0)) {
    return nan_f32();
  }
  let half = 2.0 * asin_near_zero(sqrt((1.0 - a) * 0.5));
  return select(half, 3.14159265 - half, x < 0.0);
}

fn atan_f32(x: f32) -> f32 {
  if (is_nan(x)) {
    return x;
  }
  let a = abs(x);
  var t = a;
  var start = 0.0;
  if (a > 2.41421356) { // tan(3 pi/8)
    t = select(-1.0 / a, 0.0, is_infinite(x));
    start = 1.57079633;
  } else if (a > 0.414213562) { // tan(pi/8)
    t = (a - 1.0) / (a + 1.0);
    start = 0.785398163;
  }
  let z = t * t;
  let series = -0.33333316 + z * (0.19998489 + z * (-0.14243849 + z * (0.10596001 - z * 0.06083453)));
  return copysign_f32(start + (t + t * z * series), x);
}
