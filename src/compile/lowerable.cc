#include "compile/lowerable.h"

#include <utility>

#include "passes/passes.h"
#include "plan/lower.h"

namespace subbyte {

Expected<std::vector<WeightUse>> find_lowerable_uses(Model model) {
  SUBBYTE_TRY(WeightPlan weights, plan_weights(model, {.precision = Precision::float32}));
  SUBBYTE_CHECK_OK(run_passes(model, fusion_passes()));
  SUBBYTE_TRY(const Plan plan, lower(model, weights.stored));
  return std::move(weights.uses);
}

}  // namespace subbyte
