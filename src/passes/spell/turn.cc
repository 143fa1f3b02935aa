#include "passes/spell/turn.h"

#include <numbers>
#include <utility>

namespace subbyte {
namespace {

// The Taylor series around 0, for angles up to pi / 4: the first term left out is below 2^-53.
Direction of_small(double x) {
  const double square = x * x;
  double cosine = 1, sine = 1;
  for (int n = 20; n >= 2; n -= 2) cosine = 1 - square / (n * (n - 1.0)) * cosine;
  for (int n = 21; n >= 3; n -= 2) sine = 1 - square / (n * (n - 1.0)) * sine;
  return {cosine, x * sine};
}

}  // namespace

Direction direction_of(std::int64_t part, std::int64_t whole) {
  part %= whole;
  if (part < 0) part += whole;
  // Quarters are taken off exactly, and what is beyond an eighth is seen from the other axis.
  const std::int64_t quarter = 4 * part / whole, rest = 4 * part % whole;
  const bool beyond = 2 * rest > whole;
  const double near = static_cast<double>(beyond ? whole - rest : rest);
  Direction d = of_small(near / static_cast<double>(whole) * (std::numbers::pi / 2));
  if (beyond) std::swap(d.cosine, d.sine);
  for (std::int64_t i = 0; i < quarter; ++i) d = {-d.sine, d.cosine};
  return d;
}

}  // namespace subbyte
