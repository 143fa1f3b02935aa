// What is gained on one kind of samples is no help on another.
#include "quantize/fit/decision.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace subbyte::fit {
namespace {

std::vector<Tensor> one(float value) {
  std::vector<std::byte> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return {make_tensor(DType::float32, {1}, bytes)};
}

TEST(ErrorsByKind, AreThoseOfTheSamplesOfEach) {
  const Outputs exact = {one(1), one(10), one(1), one(10)};
  const Outputs found = {one(1.5f), one(11), one(1), one(10)};
  const std::size_t kinds[] = {0, 1, 0, 1};
  EXPECT_EQ(count_kinds(kinds), 2u);
  const auto errors = errors_by_kind(exact, found, kinds);
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_DOUBLE_EQ(errors[0], 0.25);
  EXPECT_NEAR(errors[1], 0.05, 1e-9);
  EXPECT_EQ(errors_by_kind(exact, found, {}).size(), 1u);
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
