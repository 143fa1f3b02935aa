// Interval arithmetic for the bounds of expressions. INT64_MIN and INT64_MAX are infinities.
#pragma once

#include <algorithm>
#include <cstdint>

#include "graph/arithmetic.h"

namespace subbyte {

struct Interval {
  std::int64_t lower = INT64_MIN, upper = INT64_MAX;
};

inline bool is_infinite(std::int64_t bound) { return bound == INT64_MIN || bound == INT64_MAX; }

inline std::int64_t add_bounds(std::int64_t a, std::int64_t b, std::int64_t unbounded) {
  return a == unbounded || b == unbounded ? unbounded : saturating_add(a, b);
}

inline std::int64_t mul_bounds(std::int64_t a, std::int64_t b) {
  if (a == 0 || b == 0) return 0;
  if (is_infinite(a) || is_infinite(b)) return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
  return saturating_mul(a, b);
}

inline Interval mul_interval(Interval a, Interval b) {
  const auto [low, high] =
      std::minmax({mul_bounds(a.lower, b.lower), mul_bounds(a.lower, b.upper),
                   mul_bounds(a.upper, b.lower), mul_bounds(a.upper, b.upper)});
  return {low, high};
}

// b is not 0, so a lower bound of 0 is one of 1.
inline Interval floor_div_interval(Interval a, Interval b) {
  if (b.lower < 0) return {};
  const std::int64_t least = std::max<std::int64_t>(b.lower, 1);
  const auto divide = [&](std::int64_t value, bool by_least) -> std::int64_t {
    if (is_infinite(value) && by_least) return value;
    if (by_least) return floor_div_int(value, least);
    if (is_infinite(b.upper)) return value < 0 ? -1 : 0;
    return is_infinite(value) ? value : floor_div_int(value, b.upper);
  };
  return {divide(a.lower, a.lower < 0), divide(a.upper, a.upper >= 0)};
}

inline Interval mod_interval(Interval a, Interval b) {
  if (b.lower >= 0) {
    const std::int64_t high =
        is_infinite(b.upper) ? INT64_MAX : std::max<std::int64_t>(b.upper - 1, 0);
    return {0, a.lower >= 0 ? std::min(high, a.upper) : high};
  }
  if (b.upper <= 0) return {is_infinite(b.lower) ? INT64_MIN : b.lower + 1, 0};
  return {};
}

}  // namespace subbyte
