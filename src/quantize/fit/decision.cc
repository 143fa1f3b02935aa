#include "quantize/fit/decision.h"

#include <algorithm>
#include <cmath>

namespace subbyte::fit {
namespace {

// Of the samples of one kind: how much is left of their errors, and the standard error of that.
struct Left {
  double share = 1, deviation = 0;
};

Left left_of_kind(std::span<const double> before, std::span<const double> after) {
  const auto count = static_cast<double>(before.size());
  double sum = 0, changed = 0;
  for (std::size_t s = 0; s < before.size(); ++s) {
    sum += before[s];
    changed += after[s] - before[s];
  }
  // Of nothing, or of what no number says, nothing is gained.
  if (!(sum > 0) || !std::isfinite(sum)) {
    double found = 0;
    for (const double error : after) found += error;
    return {found <= sum ? 1 : HUGE_VAL, 0};
  }
  Left left{1 + changed / sum, 0};
  if (!std::isfinite(left.share)) return {HUGE_VAL, 0};
  double squares = 0;
  for (std::size_t s = 0; s < before.size(); ++s) {
    const double away = after[s] - before[s] - changed / count;
    squares += away * away;
  }
  // Of the mean of the differences, over that of the errors.
  if (count > 1) left.deviation = std::sqrt(squares * count / (count - 1)) / sum;
  return left;
}

std::vector<Left> left_by_kind(std::span<const double> before, std::span<const double> after,
                               std::span<const std::size_t> kinds) {
  std::vector<Left> left;
  for (std::size_t kind = 0; kind < count_kinds(kinds); ++kind) {
    std::vector<double> a, b;
    for (std::size_t s = 0; s < before.size(); ++s) {
      if (!kinds.empty() && kinds[s] != kind) continue;
      a.push_back(before[s]);
      b.push_back(after[s]);
    }
    if (!a.empty()) left.push_back(left_of_kind(a, b));
  }
  return left;
}

Left mean_of(std::span<const Left> kinds) {
  Left mean{0, 0};
  for (const Left& kind : kinds) {
    mean.share += kind.share;
    mean.deviation += kind.deviation * kind.deviation;
  }
  const auto count = static_cast<double>(std::max<std::size_t>(kinds.size(), 1));
  return {mean.share / count, std::sqrt(mean.deviation) / count};
}

}  // namespace

std::size_t count_kinds(std::span<const std::size_t> kinds) {
  return kinds.empty() ? 1 : *std::ranges::max_element(kinds) + 1;
}

double left_of(std::span<const double> before, std::span<const double> after,
               std::span<const std::size_t> kinds) {
  return mean_of(left_by_kind(before, after, kinds)).share;
}

std::optional<double> what_is_left(std::span<const double> before, std::span<const double> after,
                                   std::span<const std::size_t> kinds) {
  const std::vector<Left> left = left_by_kind(before, after, kinds);
  const bool loses = std::ranges::any_of(left, [](const Left& kind) {
    return !(kind.share - 1 <= std::max(kMostLost, kChance * kind.deviation));
  });
  const Left mean = mean_of(left);
  if (loses || !(mean.share + mean.deviation < 1)) return std::nullopt;
  return mean.share;
}

}  // namespace subbyte::fit
