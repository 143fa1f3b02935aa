// What is gained on one kind of samples is no help on another, and what chance makes is no loss.
#include "quantize/fit/decision.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace subbyte::fit {
namespace {

using Errors = std::vector<double>;

TEST(CountKinds, OneWhereAllAreAlike) {
  const std::size_t kinds[] = {0, 1, 0, 1};
  EXPECT_EQ(count_kinds(kinds), 2u);
  EXPECT_EQ(count_kinds({}), 1u);
}

// Each sample of its own kind: nothing is known of chance.
double left(const Errors& before, const Errors& after) {
  std::vector<std::size_t> kinds(before.size());
  std::iota(kinds.begin(), kinds.end(), std::size_t{0});
  return what_is_left(before, after, kinds).value_or(-1);
}

TEST(WhatIsLeft, IsTheMeanOfTheKindsUnlessOneLosesMoreThanATenth) {
  EXPECT_DOUBLE_EQ(left({2, 10}, {1, 10}), 0.75);
  EXPECT_DOUBLE_EQ(left({2, 10}, {1, 10.5}), 0.775);
  EXPECT_EQ(left({2, 10}, {0.1, 11.5}), -1);
  EXPECT_EQ(left({2}, {2}), -1);
  EXPECT_DOUBLE_EQ(left({2}, {1}), 0.5);
  // Nothing is gained where nothing was lost, nor where no number says what.
  EXPECT_DOUBLE_EQ(left({0, 2}, {0, 1}), 0.75);
  EXPECT_EQ(left({0, 2}, {0.1, 1}), -1);
  EXPECT_DOUBLE_EQ(left({HUGE_VAL, 2}, {HUGE_VAL, 1}), 0.75);
  EXPECT_EQ(left({2, 2}, {HUGE_VAL, 1}), -1);
  EXPECT_EQ(left({2, 2}, {std::nan(""), 1}), -1);
}

TEST(WhatIsLeft, WeighsKindsAlikeAndSamplesOfAKindByTheirErrors) {
  const Errors before{1, 3, 10}, after{1, 1, 5};
  const std::size_t kinds[] = {0, 0, 1};
  EXPECT_DOUBLE_EQ(left_of(before, after, kinds), 0.5);
  EXPECT_DOUBLE_EQ(left_of(before, after, {}), 0.5);
}

TEST(WhatIsLeft, LetsAKindLoseWhatChanceMakes) {
  const std::size_t kinds[] = {0, 0, 0, 0, 1, 1, 1, 1};
  const Errors before{4, 4, 4, 4, 1, 1, 1, 1};
  // The second kind's errors rise by a fifth, in every sample or in one of them by luck.
  const Errors surely{2, 2, 2, 2, 1.2, 1.2, 1.2, 1.2}, by_chance{2, 2, 2, 2, 0.6, 0.6, 0.6, 3};
  EXPECT_DOUBLE_EQ(left_of(before, surely, kinds), 0.85);
  EXPECT_FALSE(what_is_left(before, surely, kinds));
  EXPECT_DOUBLE_EQ(left_of(before, by_chance, kinds), 0.85);
  EXPECT_FALSE(what_is_left(before, by_chance, kinds)) << "the gain is as uncertain as the loss";
  const Errors gains{0.4, 0.4, 0.4, 0.4, 0.6, 0.6, 0.6, 3};
  EXPECT_DOUBLE_EQ(what_is_left(before, gains, kinds).value(), 0.65);
}

TEST(WhatIsLeft, KeepsNoGainThatChanceMakes) {
  const Errors before{1, 1, 1, 1};
  EXPECT_FALSE(what_is_left(before, Errors{0.1, 1.2, 1.2, 1.2}, {}));
  EXPECT_DOUBLE_EQ(what_is_left(before, Errors{0.5, 0.9, 1.1, 0.9}, {}).value(), 0.85);
}

}  // namespace
}  // namespace subbyte::fit
