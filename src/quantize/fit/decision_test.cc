// What is gained on one kind of samples is no help on another.
#include "quantize/fit/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace subbyte::fit {
namespace {

TEST(ErrorsByKind, AreThoseOfTheSamplesOfEach) {
  const double of[] = {0.5, 0.1, 0, 0};
  const std::size_t kinds[] = {0, 1, 0, 1};
  EXPECT_EQ(count_kinds(kinds), 2u);
  const auto errors = errors_by_kind(of, kinds);
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_DOUBLE_EQ(errors[0], 0.25);
  EXPECT_DOUBLE_EQ(errors[1], 0.05);
  EXPECT_THAT(errors_by_kind(of, {}), testing::ElementsAre(testing::DoubleEq(0.15)));
}

TEST(WhatIsLeft, IsTheMeanOfTheKindsUnlessOneLoses) {
  const auto left = [](std::vector<double> before, std::vector<double> after) {
    return what_is_left(before, after).value_or(-1);
  };
  EXPECT_DOUBLE_EQ(left({2, 10}, {1, 10}), 0.75);
  EXPECT_EQ(left({2, 10}, {0.1, 10.1}), -1);
  EXPECT_EQ(left({2}, {2}), -1);
  EXPECT_DOUBLE_EQ(left({2}, {1}), 0.5);
  // Nothing is gained where nothing was lost, nor where no number says what.
  EXPECT_DOUBLE_EQ(left({0, 2}, {0, 1}), 0.75);
  EXPECT_EQ(left({0, 2}, {0.1, 1}), -1);
  EXPECT_DOUBLE_EQ(left({HUGE_VAL, 2}, {HUGE_VAL, 1}), 0.75);
  EXPECT_EQ(left({2, 2}, {HUGE_VAL, 1}), -1);
}

}  // namespace
}  // namespace subbyte::fit
