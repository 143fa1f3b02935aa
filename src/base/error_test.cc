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

TEST(Error, KeepsItsKindItsObjectAndItsList) {
  Error error{"2 nodes are wrong", ErrorKind::unsupported};
  error.list = {Error{"node 1: no"}, Error{"node 2: no"}};
  const Expected<void> inner = within("node 3", std::move(error));
  const Expected<void> outer = within("a.onnx", inner.error());
  EXPECT_EQ(outer.error().message, "a.onnx: node 3: 2 nodes are wrong");
  EXPECT_EQ(outer.error().kind, ErrorKind::unsupported);
  EXPECT_EQ(outer.error().object, "node 3");
  ASSERT_EQ(outer.error().list.size(), 2u);
  EXPECT_EQ(outer.error().list[1].message, "node 2: no");
  const Expected<void> full = fail_as(ErrorKind::io, "{} is full", "disk");
  EXPECT_EQ(full.error().message, "disk is full");
  EXPECT_EQ(error_kind_name(full.error().kind), "io");
}

}  // namespace
}  // namespace subbyte
