// Scalar functions that WGSL lacks, or whose built-in form overflows, loses digits near 0 or is undefined for NaN and
// infinity. Polynomials are own minimax fits.

// By bits: an implementation may assume that floats are finite.
fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn is_infinite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u;
}

// Through a variable, because a constant expression may be neither.
fn nan_f32() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

fn inf_f32() -> f32 {
  var bits = 0x7f800000u;
  return bitcast<f32>(bits);
}

fn copysign_f32(magnitude: f32, sign: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(magnitude) & 0x7fffffffu) | (bitcast<u32>(sign) & 0x80000000u));
}

// NaN where either is.
fn maximum_f32(a: f32, b: f32) -> f32 {
  if (is_nan(a)) {
    return a;
  }
  return select(max(a, b), b, is_nan(b));
}

fn minimum_f32(a: f32, b: f32) -> f32 {
  if (is_nan(a)) {
    return a;
  }
  return select(min(a, b), b, is_nan(b));
}

// The bounds of Clip: NaN stays, and a bound that is NaN bounds nothing.
fn at_least_f32(x: f32, low: f32) -> f32 {
  return select(max(x, low), x, is_nan(x) || is_nan(low));
}

fn at_most_f32(x: f32, high: f32) -> f32 {
  return select(min(x, high), x, is_nan(x) || is_nan(high));
}

// x within 0 and 1, or NaN
fn clamp_unit_f32(x: f32) -> f32 {
  return select(clamp(x, 0.0, 1.0), x, is_nan(x));
}

// -1, 0, 1 or NaN
fn sign_f32(x: f32) -> f32 {
  return select(sign(x), x, is_nan(x));
}

// x without its fraction, negative values modulo 2^32.
fn u32_of_f32(x: f32) -> u32 {
  return select(u32(x), bitcast<u32>(i32(x)), x < 0.0);
}

// exp with the limits of IEEE, which WGSL does not promise.
fn exp_f32(x: f32) -> f32 {
  if (is_nan(x)) {
    return x;
  }
  if (x > 88.73) {
    return inf_f32();
  }
  return select(exp(x), 0.0, x < -104.0);
}

// exp(x) - 1
fn expm1_f32(x: f32) -> f32 {
  if (abs(x) >= 0.5) {
    return exp_f32(x) - 1.0;
  }
  var p = 1.39974011e-3 + x * 1.99928501e-4;
  p = 8.333073e-3 + x * p;
  p = 4.16653156e-2 + x * p;
  p = 0.166666687 + x * p;
  p = 0.5 + x * p;
  return x + x * x * p;
}

// log(1 + x) for |s| <= 0.2, s = x / (2 + x): twice the series of atanh(s). By 2s, which is normal where x is.
fn log1p_near_zero(x: f32) -> f32 {
  let s2 = x / (1.0 + 0.5 * x);
  let t = 0.25 * s2 * s2;
  let p = t * (0.333333333 + t * (0.2 + t * (0.142857143 + t * (0.111111111 + t * 0.090909091))));
  return s2 + s2 * p;
}

// WGSL's log may be off by 2^-21 in absolute terms between 0.5 and 2.
fn log_f32(x: f32) -> f32 {
  if (x <= 0.0) {
    return select(nan_f32(), -inf_f32(), x == 0.0);
  }
  if (is_nan(x) || is_infinite(x)) {
    return x;
  }
  // x = m * 2^e with m from sqrt(1/2) to sqrt(2); ln 2 in two parts, so that e times the first is exact.
  let e = (bitcast<i32>(x) - 0x3f3504f3) >> 23u;
  let m = bitcast<f32>(bitcast<i32>(x) - (e << 23u));
  return f32(e) * 0.693359375 + (log1p_near_zero(m - 1.0) - f32(e) * 2.12194440e-4);
}

// log(1 + x)
fn log1p_f32(x: f32) -> f32 {
  if (x > -0.3 && x < 0.45) {
    return log1p_near_zero(x);
  }
  return log_f32(1.0 + x);
}

// log(1 + exp(x))
fn softplus_f32(x: f32) -> f32 {
  return maximum_f32(x, 0.0) + log1p_f32(exp_f32(-abs(x)));
}

// 1 / (1 + exp(-x))
fn sigmoid_f32(x: f32) -> f32 {
  let e = exp_f32(-abs(x));
  return select(e / (1.0 + e), 1.0 / (1.0 + e), x >= 0.0);
}

fn erf_f32(x: f32) -> f32 {
  let a = abs(x);
  if (a < 1.0) {
    let t = x * x;
    var p = -8.48284166e-4 + t * (1.12570357e-4 - t * 9.64177707e-6);
    p = 5.22094639e-3 + t * p;
    p = -2.68654004e-2 + t * p;
    p = 0.112837821 + t * p;
    p = -0.376126379 + t * p;
    // 2 / sqrt(pi) in two parts
    return x + x * (0.128379167 + t * p);
  }
  if (a >= 4.0) { // 1 to within f32
    return copysign_f32(1.0, x);
  }
  // 1 - exp(-q) with q fitted to -log(erfc)
  var q = 2.93961633e-3 - a * 1.85574943e-4;
  q = -2.18053535e-2 + a * q;
  q = 0.103037439 + a * q;
  q = 0.638225615 + a * q;
  q = 1.12704003 + a * q;
  q = 3.53707903e-4 + a * q;
  return select(copysign_f32(1.0 - exp(-q), x), x, is_nan(x));
}

fn tanh_f32(x: f32) -> f32 {
  let a = abs(x);
  if (a < 0.6) {
    let t = x * x;
    var p = -8.26958101e-3 + t * 2.23328825e-3;
    p = 2.17354931e-2 + t * p;
    p = -5.39526828e-2 + t * p;
    p = 0.133332491 + t * p;
    p = -0.333333313 + t * p;
    return x + x * t * p;
  }
  if (a > 10.0) { // 1 to within f32
    return copysign_f32(1.0, x);
  }
  let e = exp(-2.0 * a);
  return select(copysign_f32((1.0 - e) / (1.0 + e), x), x, is_nan(x));
}

fn gelu_f32(x: f32) -> f32 {
  return 0.5 * x * (1.0 + erf_f32(x * 0.707106781));
}

// The approximation of gelu by tanh (Hendrycks and Gimpel 2016, "Gaussian Error Linear Units").
fn gelu_tanh_f32(x: f32) -> f32 {
  return 0.5 * x * (1.0 + tanh_f32(0.797884561 * (x + 0.044715 * x * x * x)));
}

fn sinh_f32(x: f32) -> f32 {
  let a = abs(x);
  if (a < 1.0) {
    let t = x * x;
    let p = 0.166666672 + t * (8.33335053e-3 + t * (1.98360751e-4 + t * 2.81739995e-6));
    return x + x * t * p;
  }
  // exp(a) would overflow before sinh(a) does.
  let half = exp_f32(a - 0.69314718);
  return copysign_f32(half - 0.25 / half, x);
}

fn cosh_f32(x: f32) -> f32 {
  let half = exp_f32(abs(x) - 0.69314718);
  return half + 0.25 / half;
}

fn asinh_f32(x: f32) -> f32 {
  let a = abs(x);
  if (a > 1e9) { // sqrt(a * a + 1) is a, and its square overflows
    return copysign_f32(log_f32(a) + 0.69314718, x);
  }
  return copysign_f32(log1p_f32(a + a * a / (1.0 + sqrt(1.0 + a * a))), x);
}

fn acosh_f32(x: f32) -> f32 {
  if (x < 1.0) {
    return nan_f32();
  }
  if (x > 1e9) {
    return log_f32(x) + 0.69314718;
  }
  let t = x - 1.0;
  return log1p_f32(t + sqrt(t * (2.0 + t)));
}

fn atanh_f32(x: f32) -> f32 {
  let a = abs(x);
  if (a >= 1.0) {
    return select(nan_f32(), copysign_f32(inf_f32(), x), a == 1.0);
  }
  return copysign_f32(0.5 * log1p_f32(2.0 * a / (1.0 - a)), x);
}

// 2^n for -126 <= n <= 127, exactly.
fn power_of_two(n: i32) -> f32 {
  return bitcast<f32>(u32(n + 127) << 23u);
}

// x^y for x > 0, both finite: the exponent of x and its logarithm apart, so that large powers keep their digits.
fn pow_positive(x: f32, any_y: f32) -> f32 {
  // Beyond, any x but 1 gives infinity or 0.
  let y = clamp(any_y, -1e10, 1e10);
  // x = m * 2^e, m in 0.70..1.42
  let bits = bitcast<u32>(x) - 0x3f340000u;
  let e = f32(bitcast<i32>(bits) >> 23u);
  let m = bitcast<f32>((bits & 0x007fffffu) + 0x3f340000u);
  let log2_m = log1p_near_zero(m - 1.0) * 1.44269504;
  // The leading part of y times e is exact.
  let y_high = bitcast<f32>(bitcast<u32>(y) & 0xfffff000u);
  let whole = y_high * e;
  let n = round(whole);
  let fraction = (whole - n) + ((y - y_high) * e + y * log2_m);
  let n2 = round(fraction);
  let exponent = n + n2;
  if (exponent > 128.0) {
    return inf_f32();
  }
  if (exponent < -150.0) {
    return 0.0;
  }
  let part = i32(exponent) / 2;
  return exp2(clamp(fraction - n2, -1.0, 1.0)) * power_of_two(part) * power_of_two(i32(exponent) - part);
}

// x^n by squaring, n in 0..64
fn pow_small(x: f32, n: u32) -> f32 {
  var result = 1.0;
  var square = x;
  for (var rest = n; rest > 0u; rest >>= 1u) {
    if ((rest & 1u) == 1u) {
      result *= square;
    }
    square *= square;
  }
  return result;
}

// As C's pow, and so ONNX: pow(x, 0) = 1, pow(1, y) = 1; a negative x takes whole y only.
fn pow_f32(x: f32, y: f32) -> f32 {
  if (y == 0.0 || x == 1.0) {
    return 1.0;
  }
  if (is_nan(x) || is_nan(y)) {
    return nan_f32();
  }
  let a = abs(x);
  if (is_infinite(y)) {
    if (a == 1.0) {
      return 1.0;
    }
    return select(0.0, inf_f32(), (a > 1.0) == (y > 0.0));
  }
  let is_whole = floor(y) == y;
  // Above 2^24 every f32 is even.
  let is_odd = is_whole && abs(y) < 16777216.0 && (i32(y) & 1) != 0;
  let sign = select(1.0, x, is_odd);
  if (x == 0.0 || is_infinite(x)) {
    return copysign_f32(select(0.0, inf_f32(), (x == 0.0) == (y < 0.0)), sign);
  }
  if (x < 0.0 && !is_whole) {
    return nan_f32();
  }
  if (y == 0.5) {
    return sqrt(x);
  }
  if (is_whole && y > 0.0 && y <= 64.0) {
    return pow_small(x, u32(y));
  }
  return copysign_f32(pow_positive(a, y), sign);
}

// base^n modulo 2^32, by squaring.
fn pow_u32(base: u32, n: u32) -> u32 {
  var result = 1u;
  var square = base;
  for (var rest = n; rest > 0u; rest >>= 1u) {
    if ((rest & 1u) == 1u) {
      result *= square;
    }
    square *= square;
  }
  return result;
}

// The same of signed ones. Of a negative n, the integer part of the quotient: 0 but for the bases 1 and -1. 0 to a
// negative power is 0, which ONNX leaves open.
fn pow_i32(base: i32, n: i32) -> i32 {
  if (n >= 0) {
    return bitcast<i32>(pow_u32(bitcast<u32>(base), u32(n)));
  }
  return select(select(0, select(1, -1, (n & 1) != 0), base == -1), 1, base == 1);
}

// As C's fmod: the sign of x, exact. Long division: each turn takes away at least the leading bit.
fn fmod_f32(x: f32, y: f32) -> f32 {
  let b = abs(y);
  if (is_nan(x) || is_infinite(x) || is_nan(y) || y == 0.0) {
    return nan_f32();
  }
  var rest = abs(x);
  if (is_infinite(y) || rest < b) {
    return x;
  }
  let exponent_b = bitcast<u32>(b) >> 23u;
  while (rest >= b) {
    let shift = (bitcast<u32>(rest) >> 23u) - exponent_b;
    var part = bitcast<f32>(bitcast<u32>(b) + (shift << 23u));
    if (part > rest) {
      part *= 0.5;
    }
    rest -= part;
  }
  return copysign_f32(rest, x);
}

// The remainder with the sign of y, as Python's %.
fn mod_f32(x: f32, y: f32) -> f32 {
  let rest = fmod_f32(x, y);
  return select(rest, rest + y, rest != 0.0 && (rest < 0.0) != (y < 0.0));
}

// The same of whole numbers. 0 where y is 0, which ONNX leaves open.
fn mod_i32(x: i32, y: i32) -> i32 {
  let rest = fmod_i32(x, y);
  return select(rest, rest + y, rest != 0 && (rest < 0) != (y < 0));
}

// As C's %, the sign of x. By magnitudes: drivers differ on negative operands of %.
fn fmod_i32(x: i32, y: i32) -> i32 {
  if (y == 0) {
    return 0;
  }
  let rest = bitcast<i32>(bitcast<u32>(abs(x)) % bitcast<u32>(abs(y)));
  return select(rest, -rest, x < 0);
}

// The 16 bits of the half nearest to x, ties to even.
fn half_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return sign | 0x7e00u;
  }
  if (magnitude >= 0x47800000u) { // 2^16
    return sign | 0x7c00u;
  }
  if (magnitude >= 0x38800000u) { // 2^-14, the least normal half; rounding up to infinity comes out right
    let rebiased = magnitude - 0x38000000u;
    return sign | ((rebiased + 0xfffu + ((rebiased >> 13u) & 1u)) >> 13u);
  }
  if (magnitude < 0x33000000u) { // below half of the least subnormal
    return sign;
  }
  let fraction = (magnitude & 0x7fffffu) | 0x800000u;
  let shift = 126u - (magnitude >> 23u);
  let kept = fraction >> shift;
  let lost = fraction & ((1u << shift) - 1u);
  let middle = 1u << (shift - 1u);
  let up = lost > middle || (lost == middle && (kept & 1u) == 1u);
  return sign | (kept + u32(up));
}

// The value of a half's 16 bits, exactly.
fn half_value(half: u32) -> f32 {
  let sign = (half & 0x8000u) << 16u;
  let magnitude = half & 0x7fffu;
  if (magnitude < 0x400u) { // subnormal: whole multiples of 2^-24
    return bitcast<f32>(bitcast<u32>(f32(magnitude) * 0x1p-24f) | sign);
  }
  let special = select(0u, 0x7f800000u, magnitude >= 0x7c00u);
  return bitcast<f32>(((magnitude << 13u) + 0x38000000u) | special | sign);
}

// x as a half would hold it.
fn round_to_half(x: f32) -> f32 {
  return half_value(half_bits(x));
}

// x as a bfloat16 would hold it, the upper half of an f32: ties to even.
fn round_to_bfloat16(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let rounded = (bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u;
  return bitcast<f32>(select(rounded, (bits & 0xffff0000u) | 0x00400000u, is_nan(x)));
}
