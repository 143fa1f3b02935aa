// What a conversion refuses only once it makes kernels, for those who ask before it does.
#pragma once

#include "base/error.h"
#include "graph/graph.h"
#include "quantize/weight_plan.h"

namespace subbyte {

// Whether a model as standard_passes() leaves it becomes kernels of a module, its weights stored as
// `weights` says. The error is the one that convert gives. No weight is packed.
Expected<void> check_lowerable(Model model, const WeightPlan& weights);
// The same with weights as they are.
Expected<void> check_lowerable(Model model);

}  // namespace subbyte
