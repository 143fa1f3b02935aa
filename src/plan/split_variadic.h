// Sum, Max, Min and Mean of more inputs than one kernel binds, as chains of nodes with few.
#pragma once

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// Nodes with at most kMaxVariadicInputs inputs stay as they are. Others compute the same through
// nodes of so many inputs each (a Mean is a Sum, divided), which the scheduler can store between.
// Shapes are inferred again where anything changed.
Expected<void> split_variadic(Model& model);

inline constexpr std::size_t kMaxVariadicInputs = 4;

}  // namespace subbyte
