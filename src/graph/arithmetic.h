// 64-bit integer arithmetic that never leaves its range: results saturate, and division rounds to
// minus infinity as Python's does. Sizes come from hostile files, so nothing here may overflow.
#pragma once

#include <cstdint>

namespace subbyte {

inline std::int64_t saturating_add(std::int64_t a, std::int64_t b) {
  std::int64_t result;
  if (!__builtin_add_overflow(a, b, &result)) return result;
  return b > 0 ? INT64_MAX : INT64_MIN;
}

inline std::int64_t saturating_mul(std::int64_t a, std::int64_t b) {
  std::int64_t result;
  if (!__builtin_mul_overflow(a, b, &result)) return result;
  return (a > 0) == (b > 0) ? INT64_MAX : INT64_MIN;
}

inline std::int64_t saturating_neg(std::int64_t a) { return a == INT64_MIN ? INT64_MAX : -a; }
inline std::int64_t saturating_sub(std::int64_t a, std::int64_t b) {
  std::int64_t result;
  if (!__builtin_sub_overflow(a, b, &result)) return result;
  return b < 0 ? INT64_MAX : INT64_MIN;
}

// floor(a / b). A divisor of 0 gives 0: no expression that reaches the runtime divides by 0.
inline std::int64_t floor_div_int(std::int64_t a, std::int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return saturating_neg(a);
  return a / b - ((a % b != 0) && ((a < 0) != (b < 0)) ? 1 : 0);
}

// a - b * floor(a / b): the sign of b. A divisor of 0 gives 0.
inline std::int64_t mod_int(std::int64_t a, std::int64_t b) {
  if (b == 0 || b == -1) return 0;
  const std::int64_t remainder = a % b;
  return remainder != 0 && ((remainder < 0) != (b < 0)) ? remainder + b : remainder;
}

inline std::int64_t ceil_div_int(std::int64_t a, std::int64_t b) {
  return saturating_neg(floor_div_int(saturating_neg(a), b));
}

// Greatest common divisor of the magnitudes; gcd(0, x) = |x|. 2^63 counts as 2^62, which divides
// it.
inline std::int64_t gcd_int(std::int64_t a, std::int64_t b) {
  if (a == INT64_MIN) a = std::int64_t{1} << 62;
  if (b == INT64_MIN) b = std::int64_t{1} << 62;
  if (a < 0) a = -a;
  if (b < 0) b = -b;
  while (b != 0) {
    const std::int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

}  // namespace subbyte
