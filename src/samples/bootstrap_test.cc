#include "samples/bootstrap.h"

#include <gmock/gmock.h>

namespace subbyte {
namespace {

double ratio(std::span<const double> sums) { return sums[0] / sums[1]; }

TEST(Bootstrap, IsTheMiddleOfWhatDrawsGive) {
  // A hundred items, a quarter of which count: a standard error of .0433, 1.96 of which to each
  // side.
  std::vector<std::vector<double>> items;
  for (int i = 0; i < 100; ++i) items.push_back({i % 4 == 0 ? 1.0 : 0.0, 1});
  EXPECT_DOUBLE_EQ(figure_of(items, ratio), 0.25);
  const Interval interval = bootstrap(items, ratio);
  EXPECT_NEAR(interval.low, 0.25 - 1.96 * 0.0433, 0.02);
  EXPECT_NEAR(interval.high, 0.25 + 1.96 * 0.0433, 0.02);
}

TEST(Bootstrap, OfEqualItemsIsTheFigureItself) {
  const std::vector<std::vector<double>> items(20, {3, 4});
  EXPECT_DOUBLE_EQ(bootstrap(items, ratio).low, 0.75);
  EXPECT_DOUBLE_EQ(bootstrap(items, ratio).high, 0.75);
}

TEST(Bootstrap, IsPaired) {
  // The module is wrong wherever the source is, and once more: the difference is sure although
  // neither figure is.
  std::vector<std::vector<double>> items;
  for (int i = 0; i < 64; ++i) items.push_back({i % 2 * 1.0, i % 2 * 1.0 + 0.1});
  const auto difference = [](std::span<const double> sums) { return sums[1] - sums[0]; };
  const Interval interval = bootstrap(items, difference);
  EXPECT_NEAR(interval.low, 6.4, 1e-9);
  EXPECT_NEAR(interval.high, 6.4, 1e-9);
}

TEST(Bootstrap, SaysTheSameEachTime) {
  std::vector<std::vector<double>> items;
  for (int i = 0; i < 9; ++i) items.push_back({1.0 / (i + 1), 1});
  EXPECT_EQ(bootstrap(items, ratio).low, bootstrap(items, ratio).low);
  EXPECT_EQ(bootstrap(std::span(items).first(1), ratio).high, 1);
}

}  // namespace
}  // namespace subbyte
