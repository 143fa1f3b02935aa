// A plan as text: what golden tests compare, and what a dump shows.
#pragma once

#include <string>

#include "graph/graph.h"
#include "plan/plan.h"

namespace subbyte {

// Tensors with their sizes and lifetimes, weights, and each step with its bindings, parameters,
// forms and the WGSL that lowering wrote for it. Files of kernels/ are shown by name.
std::string plan_text(const Model& model, const Plan& plan);

}  // namespace subbyte
