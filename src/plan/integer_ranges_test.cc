#include "plan/integer_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/infer.h"
#include "graph/text.h"

namespace subbyte {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Found {
  std::vector<std::string> watched;  // names of values
  std::vector<InputRange> assumed;
  std::vector<std::string> constraints;  // their conditions
};

Found ranges_of(const std::string& body) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n" + body + "}\n");
  EXPECT_TRUE(model) << model.error().message;
  const auto inferred = infer(*model);
  EXPECT_TRUE(inferred) << inferred.error().message;
  const IntegerRanges ranges = integer_ranges(*model);
  Found found{{}, ranges.assumed, {}};
  for (ValueId v = 0; v < ranges.watched.size(); ++v) {
    if (ranges.watched[v]) found.watched.push_back(model->main().values[v].name);
  }
  for (const auto& constraint : ranges.constraints)
    found.constraints.push_back(model->exprs.text(constraint.condition));
  return found;
}

std::vector<std::string> watched(const std::string& body) { return ranges_of(body).watched; }

TEST(IntegerRanges, AnyInputMayMakeASumLeave) {
  EXPECT_THAT(watched(R"(
  input %x : int64 [n]
  input %small : int16 [n]
  value %one : int64 [] = {1}
  %sum = Add(%x, %one)
  %wide = Cast(%small) {to = 7}
  %square = Mul(%wide, %wide)
  %cube = Mul(%square, %wide)
  output %sum
  output %cube
)"),
              ElementsAre("sum", "cube"));
}

TEST(IntegerRanges, NarrowerIntegersWrapAsInOnnx) {
  EXPECT_THAT(watched(R"(
  input %x : int32 [n]
  input %u : uint32 [n]
  %sum = Add(%x, %x)
  %twice = Add(%u, %u)
  %wide = Cast(%sum) {to = 7}
  %unsigned = Cast(%twice) {to = 13}
  %signed = Cast(%twice) {to = 7}
  output %wide
  output %unsigned
  output %signed
)"),
              ElementsAre("signed"));
}

TEST(IntegerRanges, ComparisonsAndPositionsAreSmall) {
  EXPECT_THAT(watched(R"(
  input %x : float32 [n, 8]
  input %ids : int64 [n]
  value %axis : int64 [] = {0}
  value %one : int64 [] = {1}
  value %first : int64 [1] = {0}
  %pad = Equal(%ids, %one)
  %flags = Cast(%pad) {to = 7}
  %places = CumSum(%flags, %axis)
  %shifted = Add(%places, %one)
  %best = ArgMax(%x) {axis = 1, keepdims = 0}
  %next = Add(%best, %one)
  %count = ReduceSum(%flags, %first) {keepdims = 0}
  output %shifted
  output %next
  output %count
)"),
              IsEmpty());
}

// Positions of tokens from their mask, as decoders find them.
TEST(IntegerRanges, AMaskIsAssumedToBe0Or1WhereThatProvesMore) {
  const Found found = ranges_of(R"(
  input %input_ids : int64 [batch, n]
  input %attention_mask : int64 [batch, n]
  value %axis : int64 [] = {1}
  value %one : int64 [] = {1}
  %places = CumSum(%attention_mask, %axis)
  %positions = Sub(%places, %one)
  output %positions
)");
  EXPECT_THAT(found.watched, IsEmpty());
  EXPECT_THAT(found.assumed, ElementsAre(InputRange{1, 0, 1}));
  EXPECT_THAT(ranges_of(R"(
  input %attention_mask : int64 [batch, n]
  %mask = Cast(%attention_mask) {to = 1}
  output %mask
)")
                  .assumed,
              IsEmpty());
}

TEST(IntegerRanges, IdsAreAssumedToBeBelowTheTableThatTheyAreLookedUpIn) {
  const Found found = ranges_of(R"(
  input %ids : int64 [n]
  input %table : float32 [1000, 4]
  value %two : int64 [] = {2}
  %rows = Gather(%table, %ids) {axis = 0}
  %next = Mul(%ids, %two)
  output %rows
  output %next
)");
  EXPECT_THAT(found.watched, IsEmpty());
  EXPECT_THAT(found.assumed, ElementsAre(InputRange{0, -1000, 999}));
}

// An element of a mask laid flat: each size may be large, their product not.
TEST(IntegerRanges, SizesThatBoundAResultAreCheckedInItsPlace) {
  const Found found = ranges_of(R"(
  input %mask : float32 [batch, n]
  value %zero : int64 [] = {0}
  value %one : int64 [] = {1}
  value %which : int64 [2] = {0, 1}
  value %column : int64 [1] = {1}
  %shape = Shape(%mask)
  %b = Gather(%shape, %zero) {axis = 0}
  %l = Gather(%shape, %one) {axis = 0}
  %rows = Range(%zero, %b, %one)
  %places = Range(%zero, %l, %one)
  %row = Unsqueeze(%rows, %column)
  %start = Mul(%row, %l)
  %flat = Add(%start, %places)
  output %flat
)");
  EXPECT_THAT(found.watched, IsEmpty());
  EXPECT_THAT(found.constraints,
              ElementsAre("(batch*n < n + 2147483648)", "(batch*n < 2147483649)"));
}

TEST(IntegerRanges, WhatAnInputMayHoldRefusesNoSize) {
  const Found found = ranges_of(R"(
  input %x : int64 [n]
  input %y : int16 [n]
  %size = Size(%x)
  %wide = Cast(%y) {to = 7}
  %sum = Add(%x, %size)
  %product = Mul(%wide, %size)
  output %sum
  output %product
)");
  EXPECT_THAT(found.watched, ElementsAre("sum", "product"));
  EXPECT_THAT(found.constraints, IsEmpty());
}

// What may be the last of many seldom is, so that no run is refused for its sizes.
TEST(IntegerRanges, ABoundThatCommonSizesMeetIsWatched) {
  const Found found = ranges_of(R"(
  input %x : float32 [n, 8]
  value %large : int64 [] = {1073741824}
  value %few : int64 [] = {3}
  %best = ArgMax(%x) {axis = 0, keepdims = 0}
  %times = Mul(%best, %large)
  %thrice = Mul(%best, %few)
  output %times
  output %thrice
)");
  EXPECT_THAT(found.watched, ElementsAre("times"));
  EXPECT_THAT(found.constraints, ElementsAre("(n < 715827884)"));
}

TEST(IntegerRanges, TheGreatestOfNothingIsAskedFor) {
  const Found found = ranges_of(R"(
  input %x : int64 [m, n]
  input %u : uint64 [m, n]
  input %small : int32 [m, n]
  value %last : int64 [1] = {1}
  %greatest = ReduceMax(%x, %last)
  %unsigned = ReduceMax(%u, %last)
  %least = ReduceMin(%small, %last)
  output %greatest
  output %unsigned
  output %least
)");
  EXPECT_THAT(found.watched, IsEmpty());
  EXPECT_THAT(found.constraints, ElementsAre("(n ? 1 : (m == 0))"));
}

TEST(IntegerRanges, TheLastOfARangeMustFit) {
  const Found found = ranges_of(R"(
  input %x : int64 [n]
  input %least : int64 []
  input %most : int64 []
  value %zero : int64 [] = {0}
  value %one : int64 [] = {1}
  value %four : int64 [] = {4}
  %places = Range(%zero, %most, %one)
  %spread = Range(%zero, %most, %four)
  %between = Range(%least, %most, %one)
  output %places
  output %spread
  output %between
)");
  EXPECT_THAT(found.watched, IsEmpty());
  EXPECT_THAT(found.constraints, testing::SizeIs(2));
}

TEST(IntegerRanges, AFloatThatMayBeAnythingIsWatched) {
  EXPECT_THAT(watched(R"(
  input %x : float32 [n]
  input %i : int8 [n]
  value %eight : float32 [] = {8}
  value %zero : float32 [] = {0}
  %unknown = Cast(%x) {to = 7}
  %number = Cast(%i) {to = 1}
  %eighth = Div(%number, %eight)
  %known = Cast(%eighth) {to = 7}
  %log = Log(%number)
  %lost = Cast(%log) {to = 7}
  %clipped = Clip(%x, %zero, %eight)
  %nan = Cast(%clipped) {to = 7}
  output %unknown
  output %known
  output %lost
  output %nan
)"),
              ElementsAre("unknown", "lost", "nan"));
}

TEST(IntegerRanges, QuotientsAndRemainders) {
  EXPECT_THAT(watched(R"(
  input %x : int64 [n]
  input %y : int64 [n]
  value %seven : int64 [] = {7}
  value %less : int64 [] = {-1}
  %a = Div(%x, %seven)
  %b = Mod(%x, %seven)
  %c = Mul(%b, %seven)
  %d = Div(%x, %y)
  %e = Mod(%x, %y)
  %f = Div(%x, %less)
  output %a
  output %c
  output %d
  output %e
  output %f
)"),
              ElementsAre("d", "e", "f"));
}

}  // namespace
}  // namespace subbyte
