#include "plan/size_limits.h"

#include <gtest/gtest.h>

#include "graph/infer.h"
#include "graph/text.h"

namespace subbyte {
namespace {

std::string told(const std::string& body) {
  auto model = parse_model("model \"m\"\ngraph \"main\" {\n" + body + "}\n");
  EXPECT_TRUE(model) << model.error().message;
  EXPECT_TRUE(infer(*model));
  tell_size_limits(*model);
  EXPECT_EQ(model->constraints.size(), 1u);
  return model->constraints.empty() ? "" : model->constraints[0].message;
}

// Positions of which there are 512, cut to the length of a sentence and added to it.
TEST(SizeLimits, ATableOfPositionsIsALimit) {
  EXPECT_TRUE(told(R"(
  input %x : float32 [batch, sequence, 4]
  input %positions : float32 [1, 512, 4]
  value %start : int64 [1] = {0}
  value %axis : int64 [1] = {1}
  %shape = Shape(%x)
  value %second : int64 [1] = {1}
  %end = Gather(%shape, %second)
  %cut = Slice(%positions, %start, %end, %axis)
  %y = Add(%x, %cut)
  output %y
)")
                  .starts_with("sequence may be at most 512: node "));
}

TEST(SizeLimits, OtherConditionsStayAsTheyAre) {
  EXPECT_TRUE(told(R"(
  input %x : float32 [n, 4]
  input %y : float32 [m, 4]
  %z = Add(%x, %y)
  output %z
)")
                  .starts_with("node "));
  EXPECT_TRUE(told(R"(
  input %x : float32 [n]
  value %shape : int64 [2] = {-1, 4}
  %y = Reshape(%x, %shape)
  output %y
)")
                  .starts_with("node "));
}

TEST(SizeLimits, OneSizeThatFitsIsNoLimit) {
  ExprPool exprs;
  const Expr n = exprs.symbol({.name = "n", .source = {}});
  const auto most = [&](Expr condition) {
    const auto limit = size_limit(exprs, condition);
    return limit ? limit->most : -1;
  };
  EXPECT_EQ(most(exprs.less(n, exprs.constant(513))), 512);
  EXPECT_EQ(most(exprs.equal(n, exprs.constant(0))), 0);
  EXPECT_EQ(most(exprs.equal(n, exprs.constant(7))), -1);
  EXPECT_EQ(most(exprs.less(exprs.constant(7), n)), -1);
  EXPECT_EQ(most(exprs.equal(exprs.mod(n, exprs.constant(4)), exprs.constant(0))), -1);
  const Expr gap = exprs.less(n, exprs.constant(8));
  EXPECT_EQ(most(exprs.max(gap, exprs.less(exprs.constant(1000000), n))), -1);
}

}  // namespace
}  // namespace subbyte
