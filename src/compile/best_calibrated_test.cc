// Plans are judged by what calibration keeps of them.
#include "compile/best_calibrated.h"

#include <gtest/gtest.h>

namespace subbyte {
namespace {

// Of a plan whose model_type says which: the errors by sample as rounded, and with codes.
struct Made {
  std::vector<double> rounded, codes;
  bool keeps = true;
};

Expected<BestPlan> best_of(const std::vector<Made>& made, std::vector<std::size_t> kinds = {}) {
  std::vector<WeightPlan> plans(made.size());
  for (std::size_t i = 0; i < plans.size(); ++i) plans[i].model_type = std::to_string(i);
  return best_calibrated(Model(), plans, kinds,
                         [&](Model&, WeightPlan& plan) -> Expected<FitReport> {
                           const Made& one = made[std::stoul(plan.model_type)];
                           plan.model_type += " calibrated";
                           FitReport report;
                           if (one.rounded.empty()) report.skipped = "it is large";
                           report.by_sample = {one.rounded, one.codes};
                           report.kept_index = one.keeps ? 1 : 0;
                           return report;
                         });
}

TEST(BestCalibrated, IsThatWithTheLeastErrorsOfWhatIsKept) {
  const auto best = best_of({{{4, 4}, {3, 3}}, {{5, 5}, {1, 2}}, {{2, 2}, {1, 1}, false}});
  ASSERT_TRUE(best);
  EXPECT_EQ(best->widths.model_type, "1");
  EXPECT_EQ(best->calibrated.plan.model_type, "1 calibrated");
  EXPECT_EQ(best->calibrated.fit->kept_index, 1u);
}

TEST(BestCalibrated, CountsKindsAlike) {
  // The second is better in the sum and worse in the mean of the kinds.
  const std::vector<Made> made{{{9, 9}, {10, 1}}, {{9, 9}, {8, 2}}};
  EXPECT_EQ(best_of(made, {0, 1}).value().widths.model_type, "0");
  EXPECT_EQ(best_of(made).value().widths.model_type, "1");
}

TEST(BestCalibrated, IsTheFirstWhereNoOtherIsBetterOrNothingIsMeasured) {
  EXPECT_EQ(best_of({{{4}, {3}}, {{4}, {3}}}).value().widths.model_type, "0");
  EXPECT_EQ(best_of({{{}, {}}, {{4}, {3}}}).value().widths.model_type, "0");
  EXPECT_EQ(best_of({{{4}, {3}}, {{}, {}}}).value().widths.model_type, "0");
}

TEST(BestCalibrated, PassesErrorsOn) {
  const WeightPlan plans[1] = {};
  const auto best = best_calibrated(
      Model(), plans, {},
      [](Model&, WeightPlan&) -> Expected<FitReport> { return fail("it was cancelled"); });
  ASSERT_FALSE(best);
  EXPECT_EQ(best.error().message, "it was cancelled");
}

}  // namespace
}  // namespace subbyte
