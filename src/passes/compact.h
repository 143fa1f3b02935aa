// Taking nodes and values out of a graph, and putting nodes before all others.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace subbyte {

// Keeps the nodes and values marked true, in their order, and renumbers what refers to them.
// Inputs and outputs of kept nodes, graph inputs and graph outputs must be kept.
void compact(Graph& graph, const std::vector<bool>& keep_nodes,
             const std::vector<bool>& keep_values);

// Puts nodes that read constants alone first, in their order, and sets the producers of their
// outputs.
void prepend(Graph& graph, std::vector<Node> nodes);

}  // namespace subbyte
