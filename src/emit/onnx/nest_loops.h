// Loops and Ifs again, where bodies and branches stand in the graph around them (graph/loops.h,
// graph/branches.h).
#pragma once

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// The same model with a Loop for each Enter and Leave, an If for each condition, and without
// ReadBacks. Values of the main graph keep their ids.
Expected<Model> nest_control_flow(const Model& model);

}  // namespace subbyte
