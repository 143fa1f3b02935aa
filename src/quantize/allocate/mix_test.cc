#include "quantize/allocate/mix.h"

#include <gtest/gtest.h>

#include "quantize/fit/test_network.h"

namespace subbyte::allocate {
namespace {

WeightPlan planned(const Model& model, const char* precision) {
  auto plan = plan_weights(model, policy_from_name(precision).value());
  EXPECT_TRUE(plan) << plan.error().message;
  return std::move(*plan);
}

struct Mixing {
  Model model = fit::test_network();
  WeightPlan plan = planned(model, "mixed");
  std::vector<Sample> samples = fit::test_samples(8, 3);
  RoundedWeights rounded{model};
  Mix mix = measure_mix(model, plan, samples, 1e4, rounded, {}).value();
};

TEST(Mix, KeepsToAnyNumberOfBytesThatIsPossible) {
  const Mixing m;
  const std::int64_t least = least_bytes(m.mix), most = most_bytes(m.mix);
  ASSERT_LT(least, most);
  double before = 1e9;
  for (std::int64_t bytes = least; bytes <= most; bytes += (most - least) / 7) {
    const auto plan = plan_within(m.model, m.plan, m.mix, bytes);
    ASSERT_TRUE(plan);
    EXPECT_LE(stored_bytes(*plan), bytes);
    double loss = 0;
    for (std::size_t i = 0; i < plan->uses.size(); ++i)
      loss += loss_of(m.mix, *plan, i).value_or(0);
    EXPECT_LE(loss, before * (1 + 1e-5));
    before = loss;
  }
  EXPECT_FALSE(plan_within(m.model, m.plan, m.mix, least - 1));
}

TEST(Mix, LosesNoMoreThanOneWidthForAllAtItsBytes) {
  Mixing m;
  const auto judging = fit::test_samples(16, 77);
  for (const char* precision : {"4bit", "3bit"}) {
    const WeightPlan same = planned(m.model, precision);
    const auto mixed = plan_within(m.model, m.plan, m.mix, stored_bytes(same));
    ASSERT_TRUE(mixed);
    const WeightPlan* const plans[] = {&same, &*mixed};
    const auto losses = losses_of(m.model, plans, judging, m.rounded, {}).value();
    // What was measured on some samples need not hold to the last digit on others.
    EXPECT_LE(losses[1], 1.02 * losses[0]) << precision;
  }
}

TEST(Mix, WithoutSamplesGoesByWhatRoundingLoses) {
  const Model model = fit::test_network();
  const WeightPlan plan = planned(model, "mixed");
  RoundedWeights rounded(model);
  const Mix mix = measure_mix(model, plan, {}, 1e4, rounded, {}).value();
  EXPECT_EQ(mix.samples, 0u);
  for (const auto& choices : mix.choices)
    for (const Choice& choice : choices)
      EXPECT_EQ(choice.loss, choices.size() > 1 ? choice.noise : 0);
  EXPECT_TRUE(plan_within(model, plan, mix, (least_bytes(mix) + most_bytes(mix)) / 2));
}

TEST(Mix, LeavesWhatARuleNamesAsItIs) {
  const Model model = fit::test_network();
  auto policy = policy_from_name("mixed").value();
  policy.rules = R"({"tensors": {"w3": "8bit"}})";
  const WeightPlan plan = plan_weights(model, policy).value();
  RoundedWeights rounded(model);
  const Mix mix = measure_mix(model, plan, fit::test_samples(4, 3), 1e4, rounded, {}).value();
  const WeightPlan mixed = plan_within(model, plan, mix, least_bytes(mix)).value();
  for (std::size_t i = 0; i < mixed.uses.size(); ++i) {
    if (!is_matrix(mixed.uses[i].kind)) continue;
    const bool named = model.main().values[mixed.uses[i].value].name == "w3";
    // Parts are padded, so that the narrowest need not be the smallest.
    const int bits = value_bits(mixed.assignments[i].encoding);
    EXPECT_TRUE(named ? bits == 8 : bits <= 4) << bits;
  }
}

}  // namespace
}  // namespace subbyte::allocate
