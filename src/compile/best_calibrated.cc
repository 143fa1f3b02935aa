#include "compile/best_calibrated.h"

#include "quantize/fit/decision.h"

namespace subbyte {

Expected<BestPlan> best_calibrated(
    const Model& model, std::span<const WeightPlan> plans, std::span<const std::size_t> kinds,
    const std::function<Expected<FitReport>(Model&, WeightPlan&)>& calibrate) {
  BestPlan best;
  double least = 1;  // what is left of the errors with the first
  std::vector<double> first;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    TriedPlan tried{model, plans[i]};
    SUBBYTE_TRY(FitReport report, calibrate(tried.model, tried.plan));
    const bool judged = report.skipped.empty();
    const std::vector<double> errors =
        judged ? report.by_sample[report.kept_index] : std::vector<double>();
    tried.fit = std::move(report);
    if (i == 0) {
      first = errors;
      best = {plans[0], std::move(tried)};
      if (!judged) break;
      continue;
    }
    const double left = judged ? fit::left_of(first, errors, kinds) : 1;
    if (left >= least) continue;
    least = left;
    best = {plans[i], std::move(tried)};
  }
  return best;
}

}  // namespace subbyte
