#include "compile/lowerable.h"

#include <utility>

#include "passes/passes.h"
#include "plan/lower.h"

namespace subbyte {

Expected<void> check_lowerable(Model model, const WeightPlan& weights) {
  SUBBYTE_CHECK_OK(run_passes(model, fusion_passes()));
  SUBBYTE_TRY(const Plan plan, lower(model, weights.stored));
  return {};
}

Expected<void> check_lowerable(Model model) {
  SUBBYTE_TRY(const WeightPlan weights, plan_weights(model, {.precision = Precision::float32}));
  return check_lowerable(std::move(model), weights);
}

}  // namespace subbyte
