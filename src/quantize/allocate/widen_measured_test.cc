#include "quantize/allocate/widen_measured.h"

#include <gtest/gtest.h>

#include "quantize/fit/test_network.h"

namespace subbyte::allocate {
namespace {

TEST(WidenMeasured, TakesNoMoreBytesAndKeepsThePromise) {
  const Model model = fit::test_network();
  for (const char* name : {"4bit", "3bit", "2bit"}) {
    const WeightPlan before = plan_weights(model, policy_from_name(name).value()).value();
    WeightPlan after = before;
    const SampleSet samples{
        .tuning = fit::test_samples(12, 3), .held_out = fit::test_samples(8, 4), .work_each = 1e4};
    const Precision precision = precision_from_name(name).value();
    const auto report = widen_measured(model, after, precision, samples, {});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_LE(stored_bytes(after), stored_bytes(before));
    EXPECT_EQ(before.broken.has_value(), after.broken.has_value());
    EXPECT_EQ(report->changed, report->measured < report->smallest);
    for (std::size_t i = 0; i < after.uses.size(); ++i) {
      EXPECT_EQ(after.stored.at(after.uses[i].value).encoding, after.assignments[i].encoding);
      const bool wide = value_bits(after.assignments[i].encoding) > bits_of(precision);
      EXPECT_EQ(is_matrix(after.uses[i].kind) && wide,
                !after.assignments[i].reason.empty() && is_matrix(after.uses[i].kind));
    }
  }
}

TEST(WidenMeasured, WithoutWorkLeavesThePlan) {
  const Model model = fit::test_network();
  WeightPlan plan = plan_weights(model, policy_from_name("4bit").value()).value();
  const auto before = plan.stored;
  const SampleSet samples{
      .tuning = fit::test_samples(4, 3), .held_out = fit::test_samples(4, 4), .work_each = 1e12};
  const auto report = widen_measured(model, plan, Precision::bits4, samples, {});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->samples, 0u);
  for (const auto& [value, stored] : before)
    EXPECT_EQ(plan.stored.at(value).encoding, stored.encoding);
}

}  // namespace
}  // namespace subbyte::allocate
