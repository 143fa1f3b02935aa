#include "base/error.h"

#include <gtest/gtest.h>

#include <memory>

namespace subbyte {
namespace {

Expected<std::unique_ptr<int>> half_of(int number) {
  if (number % 2 != 0) return fail("{} is odd", number);
  return std::make_unique<int>(number / 2);
}

Expected<int> quarter_of(int number) {
  SUBBYTE_TRY(const auto half, half_of(number));
  SUBBYTE_TRY(const auto quarter, half_of(*half));
  return *quarter;
}

Expected<void> divisible(int number) {
  SUBBYTE_CHECK_OK(quarter_of(number));
  return {};
}

TEST(Error, ReachesTheCaller) {
  EXPECT_EQ(quarter_of(12), 3);
  EXPECT_EQ(quarter_of(7).error().message, "7 is odd");
  EXPECT_EQ(divisible(6).error().message, "3 is odd");
  EXPECT_TRUE(divisible(8));
}

TEST(Error, ContextStandsInFront) {
  const Expected<void> result = within("a.onnx", Error{"it is empty"});
  EXPECT_EQ(result.error().message, "a.onnx: it is empty");
}

}  // namespace
}  // namespace subbyte
