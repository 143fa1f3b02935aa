// Ifs again, where branches stand in the graph around them (graph/branches.h).
#pragma once

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// The same model with an If for each condition of the main graph, in which there is no loop, whose
// branches hold what only they need. Values of the main graph keep their ids.
Expected<Model> nest_branches(const Model& model);

}  // namespace subbyte
