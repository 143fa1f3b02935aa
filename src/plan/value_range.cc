#include "plan/value_range.h"

namespace subbyte {

ValueRange divide_integers(ValueRange a, ValueRange b) {
  if (b.contains(0)) return {};
  const double largest = a.magnitude();
  if (b.least < 0) return {-largest, largest};
  return {a.least < 0 ? a.least : std::floor(a.least / b.most),
          a.most > 0 ? std::floor(a.most / b.least) : 0};
}

ValueRange remainder(ValueRange a, ValueRange b, bool of_dividend) {
  if (b.contains(0)) return {};
  const double largest = b.magnitude() - 1;
  if (of_dividend) {
    return {a.least < 0 ? std::max(-largest, a.least) : 0,
            a.most > 0 ? std::min(largest, a.most) : 0};
  }
  if (b.least > 0) return {0, a.least >= 0 ? std::min(largest, a.most) : largest};
  return {-largest, 0};
}

ValueRange floor_divide(ValueRange a, ValueRange b) {
  const double largest = a.magnitude();
  if (b.least < 1) return {-largest, largest};
  return {std::floor(a.least / (a.least < 0 ? b.least : b.most)),
          std::floor(a.most / (a.most < 0 ? b.most : b.least))};
}

ValueRange divide(ValueRange a, ValueRange b) {
  if (b.contains(0) || !b.is_finite()) return {};
  return multiply(a, {1 / b.most, 1 / b.least});
}

ValueRange widened(ValueRange a) {
  constexpr double kPart = 0x1p-20;
  return {a.least - std::abs(a.least) * kPart, a.most + std::abs(a.most) * kPart};
}

}  // namespace subbyte
