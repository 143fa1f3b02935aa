#include "plan/index_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/infer.h"
#include "graph/text.h"

namespace subbyte {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<InputRange> ranges_of(const std::string& body) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n" + body + "}\n");
  EXPECT_TRUE(model) << model.error().message;
  const auto inferred = infer(*model);
  EXPECT_TRUE(inferred) << inferred.error().message;
  return index_ranges(*model);
}

TEST(IndexRanges, IdsOfATable) {
  EXPECT_THAT(ranges_of(R"(
  input %x : float32 [2]
  input %ids : int64 [batch, n]
  input %table : float32 [100, 8]
  %narrow = Cast(%ids) {to = 6}
  %y = Gather(%table, %narrow) {axis = 0}
  output %y
)"),
              ElementsAre(InputRange{1, -100, 99}));
}

TEST(IndexRanges, TheSmallestOfSeveralTables) {
  EXPECT_THAT(ranges_of(R"(
  input %ids : int64 [n]
  input %large : float32 [100, 8]
  input %small : float32 [4, 30]
  value %axes : int64 [1] = {0}
  %column = Unsqueeze(%ids, %axes)
  %y = Gather(%large, %column) {axis = 0}
  %z = Gather(%small, %ids) {axis = 1}
  output %y
  output %z
)"),
              ElementsAre(InputRange{0, -30, 29}));
}

// An element that is cut off, or replaced before the table is read, may have any value.
TEST(IndexRanges, WhatMayBeReplacedIsLeftOut) {
  EXPECT_THAT(ranges_of(R"(
  input %ids : int64 [8]
  input %table : float32 [100, 8]
  value %start : int64 [1] = {0}
  value %end : int64 [1] = {7}
  %cut = Slice(%ids, %start, %end)
  %y = Gather(%table, %cut)
  value %zero : int64 [] = {0}
  %positive = Max(%ids, %zero)
  %z = Gather(%table, %positive)
  output %y
  output %z
)"),
              IsEmpty());
}

TEST(IndexRanges, BothAreWhatBothAllow) {
  EXPECT_THAT(both_ranges({{2, 0, 1}}, {{0, -4, 3}, {2, -8, 7}}),
              ElementsAre(InputRange{0, -4, 3}, InputRange{2, 0, 1}));
}

}  // namespace
}  // namespace subbyte
