// The graph as kernels: from a Model (after the fusion passes) to a Plan.
#pragma once

#include <map>

#include "base/error.h"
#include "graph/graph.h"
#include "plan/plan.h"
#include "plan/weight_code.h"

namespace subbyte {

// `weights` says how constants are stored that are not stored plainly (floats as 32-bit floats,
// integers as words); `plan.weights` lists all that a kernel reads, in the order of their values.
// The model gains expressions, and nodes where one has more inputs than a kernel can bind or
// several products are one (plan/join_products.h).
// Weights are joined where they do not take more than `most_joined` bytes together.
Expected<Plan> lower(Model& model, std::map<ValueId, StoredWeight> weights,
                     std::int64_t most_joined = kMaxBinding);

}  // namespace subbyte
