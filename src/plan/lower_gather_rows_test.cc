#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/text.h"
#include "passes/passes.h"
#include "plan/lower.h"

namespace subbyte {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

constexpr Encoding kFourBits = AffineEncoding{4, 32, 0, 8, 1, 0};

// Tanh of what is looked up in a table of so many rows by 96, along an axis. Lowering reads no
// element of the table, so it has none.
Expected<Plan> lowered(std::int64_t rows, const AxisOrder& order, std::int64_t axis = 0) {
  auto model = parse_model(
      "model \"m\"\ngraph \"main\" {\n"
      "  input %ids : int64 [tokens]\n"
      "  input %table : float32 [" +
      std::to_string(rows) +
      ", 96]\n"
      "  %found = Gather(%table, %ids) {axis = " +
      std::to_string(axis) +
      "} \"lookup\"\n"
      "  %y = Tanh(%found)\n"
      "  output %y\n}\n");
  EXPECT_TRUE(model) << model.error().message;
  Graph& graph = model->main();
  const ValueId table = graph.inputs[1];
  graph.values[table].constant = Tensor{DType::float32, {rows, 96}};
  graph.inputs.pop_back();
  const auto canonical = canonicalize(*model);
  EXPECT_TRUE(canonical) << canonical.error().message;
  const bool rows_first = order.rows == std::vector<int>{0};
  const StoredWeight stored{table, kFourBits, rows_first ? rows : 96, rows_first ? 96 : rows,
                            order, {}};
  return lower(*model, {{table, stored}});
}

const AxisOrder kRowsFirst{{0}, {1}};

std::vector<bool> splits(const Plan& plan) {
  std::vector<bool> result;
  for (const PlanStep& step : plan.steps) result.push_back(step.split.has_value());
  return result;
}

TEST(LowerGatherRows, ALargeTableIsBoundByPartsInAStepOfItsOwn) {
  const auto plan = lowered(3'000'000, kRowsFirst);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(splits(*plan), ElementsAre(true, false));
  const PlanStep& step = plan->steps[0];
  EXPECT_EQ(step.name, "lookup");
  std::vector<std::pair<PlanBinding::Kind, Part>> bound;
  for (const auto& binding : step.bindings) bound.emplace_back(binding.kind, binding.part);
  using Kind = PlanBinding::Kind;
  EXPECT_THAT(bound, ElementsAre(std::pair(Kind::weight_part, Part::values),
                                 std::pair(Kind::weight_part, Part::scales),
                                 std::pair(Kind::weight_part, Part::zero_points),
                                 std::pair(Kind::tensor, Part::values),
                                 std::pair(Kind::tensor, Part::values)));
}

TEST(LowerGatherRows, ATableThatOneBindingHoldsIsReadWhereItIsUsed) {
  const auto plan = lowered(2'000'000, kRowsFirst);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(splits(*plan), ElementsAre(false));
}

TEST(LowerGatherRows, OtherAxesAndOrdersAreReadWhole) {
  for (const auto& plan :
       {lowered(3'000'000, kRowsFirst, 1), lowered(3'000'000, AxisOrder{{1}, {0}})}) {
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_THAT(splits(*plan), ElementsAre(false));
    std::vector<PlanBinding::Kind> bound;
    for (const auto& binding : plan->steps[0].bindings) bound.push_back(binding.kind);
    EXPECT_THAT(bound, Contains(PlanBinding::Kind::whole_weight));
    EXPECT_THAT(bound, Not(Contains(PlanBinding::Kind::weight_part)));
  }
}

TEST(LowerGatherRows, TheAxisMayBeCountedFromTheEnd) {
  const auto plan = lowered(3'000'000, kRowsFirst, -2);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(splits(*plan), ElementsAre(true, false));
}

}  // namespace
}  // namespace subbyte
