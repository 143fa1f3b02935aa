#include "plan/plan_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "graph/infer.h"
#include "graph/text.h"
#include "plan/lower.h"
#include "plan/text.h"

namespace subbyte {
namespace {

using Json = nlohmann::ordered_json;

struct Lowered {
  Model model;
  Plan plan;
};

// Neg of `x`, and as a second output the constant `values`.
Expected<Lowered> lowered(const std::string& values) {
  auto model = parse_model(
      "model \"m\"\ngraph \"main\" {\n"
      "  input %x : float32 [n]\n"
      "  value %c : int64 [3] = {" +
      values +
      "}\n"
      "  %y = Neg(%x)\n"
      "  output %y\n  output %c\n}\n");
  if (!model) return fail("{}", model.error().message);
  SUBBYTE_CHECK_OK(infer(*model));
  SUBBYTE_TRY(Plan plan, lower(*model, {}));
  return Lowered{std::move(*model), std::move(plan)};
}

TEST(PlanJson, TheWidthOfAWordIsLeftOut) {
  auto made = lowered("1, 2, 3");
  ASSERT_TRUE(made) << made.error().message;
  made->plan.tensors[1].width = 2;
  const Json tensors = plan_json(made->model, made->plan, {})["tensors"];
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_FALSE(tensors[0].contains("width"));
  EXPECT_EQ(tensors[1]["width"], 2);
  EXPECT_EQ(tensors[1]["count"], tensors[0]["count"]);
}

TEST(PlanJson, ConstantsThatDoublesDoNotHoldAreTheirDigits) {
  const auto made = lowered("9007199254740993, -9007199254740992, -9007199254740991");
  ASSERT_TRUE(made) << made.error().message;
  const Json plan = plan_json(made->model, made->plan, {});
  const Json& content = plan["outputs"][1]["content"];
  ASSERT_EQ(content.size(), 3u);
  EXPECT_EQ(content[0], "9007199254740993");
  EXPECT_EQ(content[1], "-9007199254740992");
  EXPECT_EQ(plan["exprs"][content[2].get<std::size_t>()], -9007199254740991);
}

TEST(PlanJson, SegmentsSayWhenAndHowOftenTheyRun) {
  auto made = lowered("1, 2, 3");
  ASSERT_TRUE(made) << made.error().message;
  ExprPool& exprs = made->model.exprs;
  const auto result = [&](const char* name) {
    return exprs.symbol({.name = name, .source = {.kind = SymbolSource::Kind::result}});
  };
  const Expr n = (*made->model.main().values[0].shape)[0], going = result("going");
  PlanSegment inner{1};
  inner.symbols.push_back({going, TensorId{1}, exprs.constant(1)});
  PlanSegment loop{};
  loop.segments.push_back(std::move(inner));
  loop.when = exprs.less(exprs.constant(3), n);
  loop.repeat = n;
  loop.turn = PlanSymbol{result("turn"), std::nullopt, n};
  loop.loop_while = going;
  PlanSegment first{1};
  first.once = true;
  made->plan.steps.resize(2, made->plan.steps[0]);
  made->plan.segments = {std::move(first), std::move(loop)};
  made->plan.steps[0].device = {{"subgroups"}, {{"subgroupMinSize", 16}}};
  const Json plan = plan_json(made->model, made->plan, {});
  EXPECT_EQ(plan["segments"][0].dump(), R"({"once":true,"steps":1})");
  const Json& segment = plan["segments"][1];
  const auto symbol = [&](const Json& at) { return plan["symbols"][at.get<std::size_t>()]; };
  EXPECT_EQ(symbol(segment["turn"])["name"], "turn");
  EXPECT_FALSE(symbol(segment["turn"]).contains("tensor"));
  EXPECT_EQ(symbol(segment["turn"])["most"], segment["repeat"]);
  EXPECT_EQ(symbol(segment["segments"][0]["symbols"][0])["tensor"], 1);
  EXPECT_EQ(plan["exprs"][segment["while"].get<std::size_t>()][0], "s");
  EXPECT_EQ(plan["exprs"][segment["when"].get<std::size_t>()][0], "<");
  EXPECT_EQ(plan["steps"][0]["device"].dump(),
            R"({"features":["subgroups"],"limits":{"subgroupMinSize":16}})");
  const std::string text = plan_text(made->model, made->plan);
  EXPECT_THAT(text, testing::HasSubstr("segment once\n"));
  EXPECT_THAT(
      text, testing::HasSubstr("segment when (3 < n) repeated n times, turn turn, while going\n"));
}

}  // namespace
}  // namespace subbyte
