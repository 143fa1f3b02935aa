// What a node in canonical form (ARCHITECTURE.md, "Passes") says, for all that comes after
// canonicalize: axes from the front, all of them named.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace subbyte {

// The attribute "axis".
std::size_t axis_of(const Node& node);
// The axes that an operand names, in its order.
std::vector<std::size_t> axes_operand(const Graph& graph, const Node& node, std::size_t input);
// By axis of the data of a reduction: whether it goes over it.
std::vector<bool> reduced_axes(const Graph& graph, const Node& node);
// The axes that scales, sizes and roi of a Resize are about, in their order.
std::vector<std::size_t> resized_axes(const Node& node, std::size_t rank);

}  // namespace subbyte
