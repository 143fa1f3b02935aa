#include "quantize/fit/decision.h"

#include <algorithm>
#include <cmath>

#include "quantize/fit/output_error.h"

namespace subbyte::fit {

std::size_t count_kinds(std::span<const std::size_t> kinds) {
  return kinds.empty() ? 1 : *std::ranges::max_element(kinds) + 1;
}

std::vector<double> errors_by_kind(const Outputs& exact, const Outputs& found,
                                   std::span<const std::size_t> kinds) {
  std::vector<double> errors;
  for (std::size_t kind = 0; kind < count_kinds(kinds); ++kind) {
    Outputs a, b;
    for (std::size_t s = 0; s < exact.size(); ++s) {
      if (!kinds.empty() && kinds[s] != kind) continue;
      a.push_back(exact[s]);
      b.push_back(found[s]);
    }
    if (!a.empty()) errors.push_back(output_error(a, b));
  }
  return errors;
}

std::optional<double> what_is_left(std::span<const double> before, std::span<const double> after) {
  double sum = 0;
  for (std::size_t kind = 0; kind < before.size(); ++kind) {
    // Of nothing, or of what no number says, nothing is gained.
    const bool comparable = before[kind] > 0 && std::isfinite(before[kind]);
    const double left = comparable                    ? after[kind] / before[kind]
                        : after[kind] <= before[kind] ? 1.0
                                                      : HUGE_VAL;
    if (before.size() > 1 && !(left <= 1)) return std::nullopt;
    sum += left;
  }
  const double mean = sum / static_cast<double>(std::max<std::size_t>(before.size(), 1));
  return mean < 1 ? std::optional(mean) : std::nullopt;
}

}  // namespace subbyte::fit
