#include "quantize/weight_plan.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "graph/infer.h"
#include "graph/text.h"

namespace subbyte {
namespace {

// x [4, 64] times %large [64, 256] and %small [256, 8], a table of places %anchors [4, 8] added.
Model network() {
  std::string weights;
  const auto add = [&](const std::string& name, std::int64_t rows, std::int64_t cols) {
    std::string elements;
    std::mt19937 random(1);
    for (std::int64_t i = 0; i < rows * cols; ++i) {
      const auto element = static_cast<double>(random() % 101) / 64 - 50.0 / 64;
      elements += fmt::format("{}{}", i == 0 ? "" : ", ", element);
    }
    weights += fmt::format("  value %{} : float32 [{}, {}] = {{{}}}\n", name, rows, cols, elements);
  };
  add("large", 64, 256);
  add("small", 256, 8);
  add("anchors", 4, 8);
  auto model =
      parse_model("model \"m\"\ngraph \"main\" {\n  input %x : float32 [4, 64]\n" + weights +
                  "  %a = MatMul(%x, %large)\n  %b = Relu(%a)\n  %c = MatMul(%b, %small)\n"
                  "  %y = Add(%c, %anchors)\n  output %y\n}\n");
  EXPECT_TRUE(model) << model.error().message;
  EXPECT_TRUE(infer(*model));
  return std::move(*model);
}

std::vector<int> bits(const WeightPlan& plan) {
  std::vector<int> all;
  for (const Assignment& a : plan.assignments) all.push_back(value_bits(a.encoding));
  return all;
}

Expected<WeightPlan> planned(const Model& model, std::string_view precision,
                             std::optional<std::string_view> rules = {}) {
  auto policy = policy_from_name(precision).value();
  policy.rules = rules;
  return plan_weights(model, policy);
}

TEST(WeightPlan, StoresEachUseAsItWasAssigned) {
  const Model model = network();
  const auto plan = planned(model, "4bit");
  ASSERT_TRUE(plan);
  EXPECT_EQ(bits(*plan), std::vector<int>({4, 4, 32}));
  ASSERT_EQ(plan->stored.size(), 3u);
  for (std::size_t i = 0; i < plan->uses.size(); ++i) {
    const StoredWeight& stored = plan->stored.at(plan->uses[i].value);
    EXPECT_EQ(stored.encoding, plan->assignments[i].encoding);
    EXPECT_EQ(stored.order, plan->uses[i].order);
    EXPECT_EQ(stored.rows * stored.k, plan->uses[i].parameters());
  }
  EXPECT_EQ(std::get<ElementsOfConstant>(plan->stored.begin()->second.source).search,
            ScaleSearch::least_squares);
  EXPECT_EQ(plan->model_type, "other");
  EXPECT_FALSE(plan->broken);
  EXPECT_EQ(widening_notes(model, *plan),
            std::vector<std::string>({"weight 'anchors': it is no trained operand"}));
  EXPECT_FALSE(policy_from_name("5bit"));
}

TEST(WeightPlan, HalvesStayHalvesWhereMoreBitsAreAllowed) {
  Model model = network();
  Value& large =
      model.main().values[*std::ranges::find_if(model.main().nodes[0].inputs, [&](ValueId v) {
        return model.main().values[v].name == "large";
      })];
  large.dtype = DType::float16;
  large.constant = make_tensor(DType::float16, {64, 256}, std::vector<std::byte>(64 * 256 * 2));
  EXPECT_EQ(bits(*planned(model, "float32")), std::vector<int>({16, 32, 32}));
  EXPECT_EQ(bits(*planned(model, "8bit")), std::vector<int>({8, 8, 32}));
}

TEST(WeightPlan, APromiseThatIsNotKeptNamesTheWidestAndWhy) {
  Model model = network();
  // Not a number cannot be quantized.
  Value& large = model.main().values[1];
  ASSERT_EQ(large.name, "large");
  std::vector<std::byte> bytes(large.constant->data.begin(), large.constant->data.end());
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = std::byte{0xff};
  large.constant = make_tensor(DType::float32, large.constant->dims, std::move(bytes));
  const auto plan = planned(model, "4bit");
  ASSERT_TRUE(plan);
  ASSERT_TRUE(plan->broken);
  EXPECT_EQ(plan->broken->bits, 4);
  EXPECT_EQ(
      promise_text(model, *plan, *plan->broken),
      "11.1 % of the parameters are stored at 4 bits or fewer, where 95 % are promised: 'large' "
      "(88.7 %) has 32 bits, for it has values that are infinite or not a number; 'anchors' "
      "(0.2 %) has 32 bits, for it is no trained operand");
  EXPECT_FALSE(planned(model, "float32")->broken);
}

TEST(WeightPlan, ARuleIsObeyedAndNoPartOfThePromise) {
  const Model model = network();
  const auto plan = planned(model, "2bit", R"({"tensors": {"large": "fp32", "small": "3bit"}})");
  ASSERT_TRUE(plan);
  EXPECT_EQ(bits(*plan), std::vector<int>({32, 3, 32}));
  EXPECT_FALSE(plan->broken);
  const auto refused = planned(model, "2bit", R"({"tensors": {"anchors": "4bit"}})");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with(
      "'tensors': the pattern 'anchors' matches no trained weight"));
}

}  // namespace
}  // namespace subbyte
