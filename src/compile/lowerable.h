// What a conversion refuses only once it makes kernels, for those who ask before it does.
#pragma once

#include <vector>

#include "base/error.h"
#include "graph/graph.h"
#include "quantize/weight_plan.h"

namespace subbyte {

// The uses of the weights of a model as standard_passes() leaves it, where it becomes kernels of a
// module with weights as they are; else the error that convert gives. No weight is packed.
Expected<std::vector<WeightUse>> find_lowerable_uses(Model model);

}  // namespace subbyte
