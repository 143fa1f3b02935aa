#include "samples/bootstrap.h"

#include <algorithm>

#include "calibrate/random.h"

namespace subbyte {

namespace {

constexpr std::size_t kDraws = 1000;
constexpr std::uint64_t kSeed = 1979;

void add(const std::vector<double>& item, std::vector<double>& sums) {
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += item[i];
}

}  // namespace

double figure_of(std::span<const std::vector<double>> items, const Statistic& statistic) {
  std::vector<double> sums(items.empty() ? 0 : items.front().size());
  for (const auto& item : items) add(item, sums);
  return statistic(sums);
}

Interval bootstrap(std::span<const std::vector<double>> items, const Statistic& statistic) {
  const double figure = figure_of(items, statistic);
  if (items.size() < 2) return {figure, figure};
  Random random(kSeed);
  std::vector<double> figures(kDraws);
  std::vector<double> sums(items.front().size());
  for (double& drawn : figures) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t i = 0; i < items.size(); ++i)
      add(items[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(items.size())))],
          sums);
    drawn = statistic(sums);
  }
  std::sort(figures.begin(), figures.end());
  return {figures[kDraws * 25 / 1000], figures[kDraws * 975 / 1000 - 1]};
}

}  // namespace subbyte
