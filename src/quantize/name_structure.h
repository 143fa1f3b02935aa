// Layers and components from names, for models whose structure tells of neither.
#pragma once

#include <span>
#include <vector>

#include "graph/graph.h"
#include "quantize/assign.h"

namespace subbyte {

// Where find_structure() (quantize/structure.h) found neither a layer nor an attention or a
// feed-forward, takes them from the names of the weights and of the nodes that read them.
void name_structure(const Graph& graph, std::span<const NodeId> readers,
                    std::vector<WeightUse>& uses);

}  // namespace subbyte
