// Interval arithmetic over the values of tensors. Bounds are doubles: exact for all that is near 32
// bits, infinite where nothing is known. A float whose range is not finite may be NaN.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace subbyte {

struct ValueRange {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();

  bool is_finite() const { return std::isfinite(least) && std::isfinite(most); }
  bool contains(double x) const { return least <= x && x <= most; }
  bool within(ValueRange outer) const { return least >= outer.least && most <= outer.most; }
  double magnitude() const { return std::max(std::abs(least), std::abs(most)); }
};

inline ValueRange join(ValueRange a, ValueRange b) {
  return {std::min(a.least, b.least), std::max(a.most, b.most)};
}

// What of `a` lies within `b`; `b` where nothing does.
inline ValueRange meet(ValueRange a, ValueRange b) {
  const ValueRange both{std::max(a.least, b.least), std::min(a.most, b.most)};
  return both.least <= both.most ? both : b;
}

inline ValueRange add(ValueRange a, ValueRange b) { return {a.least + b.least, a.most + b.most}; }
inline ValueRange negate(ValueRange a) { return {-a.most, -a.least}; }

inline ValueRange multiply(ValueRange a, ValueRange b) {
  // An empty tensor or a factor of 0 makes 0 of any bound.
  const auto product = [](double x, double y) { return x == 0 || y == 0 ? 0.0 : x * y; };
  const auto [least, most] = std::minmax({product(a.least, b.least), product(a.least, b.most),
                                          product(a.most, b.least), product(a.most, b.most)});
  return {least, most};
}

inline ValueRange absolute(ValueRange a) {
  if (a.contains(0)) return {0, a.magnitude()};
  return {std::min(std::abs(a.least), std::abs(a.most)), a.magnitude()};
}

inline ValueRange minimum(ValueRange a, ValueRange b) {
  return {std::min(a.least, b.least), std::min(a.most, b.most)};
}
inline ValueRange maximum(ValueRange a, ValueRange b) {
  return {std::max(a.least, b.least), std::max(a.most, b.most)};
}

// The sum of up to `count` values of a range; of none it is 0.
inline ValueRange sum_of(ValueRange a, double count) {
  return {std::min(a.least, 0.0) * count, std::max(a.most, 0.0) * count};
}

// Integers divided as C does; everything where the divisor may be 0.
ValueRange divide_integers(ValueRange a, ValueRange b);
// The remainder with the sign of the divisor, or with `of_dividend` that of the dividend.
ValueRange remainder(ValueRange a, ValueRange b, bool of_dividend);
// Rounded to minus infinity.
ValueRange floor_divide(ValueRange a, ValueRange b);
// Of floats; everything where the divisor may be 0.
ValueRange divide(ValueRange a, ValueRange b);
// With room for what float32 rounds away in a few operations.
ValueRange widened(ValueRange a);

}  // namespace subbyte
