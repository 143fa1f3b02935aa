#include "quantize/fit/decision.h"

#include <algorithm>
#include <cmath>

namespace subbyte::fit {

std::size_t count_kinds(std::span<const std::size_t> kinds) {
  return kinds.empty() ? 1 : *std::ranges::max_element(kinds) + 1;
}

std::vector<double> errors_by_kind(std::span<const double> errors,
                                   std::span<const std::size_t> kinds) {
  std::vector<double> means;
  for (std::size_t kind = 0; kind < count_kinds(kinds); ++kind) {
    double sum = 0, count = 0;
    for (std::size_t s = 0; s < errors.size(); ++s) {
      if (!kinds.empty() && kinds[s] != kind) continue;
      sum += errors[s];
      ++count;
    }
    if (count > 0) means.push_back(sum / count);
  }
  return means;
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
