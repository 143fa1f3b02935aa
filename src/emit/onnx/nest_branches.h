// Ifs again, where branches stand in the graph around them (graph/branches.h).
#pragma once

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// The same model with an If for each condition, whose branches hold what only they need, and
// without ReadBacks. Values of the main graph keep their ids.
Expected<Model> nest_branches(const Model& model);

}  // namespace subbyte
