// 64-bit integers in 32 bits: whether a result leaves them, sums in two words, and products that keep count of it.
// "Watched" is (the low word, 1 where the result left 32 bits, else 0); "wide" is (low word, high word).

fn add_leaves_signed(a: i32, b: i32) -> bool {
  let sum = a + b;
  return ((a ^ sum) & (b ^ sum)) < 0;
}

fn add_leaves_unsigned(a: u32, b: u32) -> bool {
  return a + b < a;
}

fn subtract_leaves_signed(a: i32, b: i32) -> bool {
  let difference = a - b;
  return ((a ^ b) & (a ^ difference)) < 0;
}

// Below 2^32 a product that left 31 bits has the wrong sign, and it is never 0. The float product is off by 2^-22 at most,
// which settles the rest.
fn multiply_leaves_signed(a: i32, b: i32) -> bool {
  if (a == 0 || b == 0) {
    return false;
  }
  let product = a * b;
  return abs(f32(a)) * abs(f32(b)) > 4e9 || product == 0 || (product < 0) != ((a < 0) != (b < 0));
}

// Just above 2^32 a product wraps to little, just below it is large.
fn multiply_leaves_unsigned(a: u32, b: u32) -> bool {
  let magnitude = f32(a) * f32(b);
  return magnitude > 4.5e9 || (magnitude > 4e9 && a * b < 0x80000000u);
}

// By 0 there is no quotient, and no remainder.
fn divide_leaves_signed(a: i32, b: i32) -> bool {
  return b == 0 || (b == -1 && a == -2147483647 - 1);
}

// NaN leaves too.
fn truncate_leaves_signed(x: f32) -> bool {
  return !(x >= -2147483648.0 && x < 2147483648.0);
}

fn truncate_leaves_unsigned(x: f32) -> bool {
  return !(x > -1.0 && x < 4294967296.0);
}

fn wide_signed(x: i32) -> vec2<u32> {
  return vec2<u32>(bitcast<u32>(x), bitcast<u32>(x >> 31u));
}

fn wide_unsigned(x: u32) -> vec2<u32> {
  return vec2<u32>(x, 0u);
}

fn add_wide(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let low = a.x + b.x;
  return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn wide_leaves_signed(a: vec2<u32>) -> bool {
  return a.y != bitcast<u32>(bitcast<i32>(a.x) >> 31u);
}

fn wide_leaves_unsigned(a: vec2<u32>) -> bool {
  return a.y != 0u;
}

fn watched_signed(x: i32, leaves: bool) -> vec2<u32> {
  return vec2<u32>(bitcast<u32>(x), select(0u, 1u, leaves));
}

fn watched_unsigned(x: u32, leaves: bool) -> vec2<u32> {
  return vec2<u32>(x, select(0u, 1u, leaves));
}

fn add_watched_signed(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let left = bitcast<i32>(a.x);
  let right = bitcast<i32>(b.x);
  return watched_signed(left + right, (a.y | b.y) != 0u || add_leaves_signed(left, right));
}

fn add_watched_unsigned(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  return watched_unsigned(a.x + b.x, (a.y | b.y) != 0u || add_leaves_unsigned(a.x, b.x));
}

// A product with 0 is 0, whatever the other factor is.
fn multiply_watched_signed(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  if (all(a == vec2<u32>()) || all(b == vec2<u32>())) {
    return vec2<u32>();
  }
  let left = bitcast<i32>(a.x);
  let right = bitcast<i32>(b.x);
  return watched_signed(left * right, (a.y | b.y) != 0u || multiply_leaves_signed(left, right));
}

fn multiply_watched_unsigned(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  if (all(a == vec2<u32>()) || all(b == vec2<u32>())) {
    return vec2<u32>();
  }
  return watched_unsigned(a.x * b.x, (a.y | b.y) != 0u || multiply_leaves_unsigned(a.x, b.x));
}

// x^n by squaring. A negative power is a fraction, which is cut off to 0, but of 1 and -1; of 0 there is none.
fn power_watched_signed(x: i32, n: i32) -> vec2<u32> {
  if (n < 0) {
    let sign = select(x, 1i, (n & 1) == 0);
    return watched_signed(select(0i, sign, abs(x) == 1), x == 0);
  }
  var result = vec2<u32>(1u, 0u);
  var square = watched_signed(x, false);
  for (var rest = n; rest > 0; rest >>= 1u) {
    if ((rest & 1) == 1) {
      result = multiply_watched_signed(result, square);
    }
    square = multiply_watched_signed(square, square);
  }
  return result;
}

fn power_watched_unsigned(x: u32, n: u32) -> vec2<u32> {
  var result = vec2<u32>(1u, 0u);
  var square = vec2<u32>(x, 0u);
  for (var rest = n; rest > 0u; rest >>= 1u) {
    if ((rest & 1u) == 1u) {
      result = multiply_watched_unsigned(result, square);
    }
    square = multiply_watched_unsigned(square, square);
  }
  return result;
}
