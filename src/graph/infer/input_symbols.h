// Which inputs of a model are sizes in disguise.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace subbyte {

// The inputs of a node that say how large its output is, which axes or which range, rather than
// what is in it: the shape of a Reshape, the starts of a Slice.
std::vector<std::size_t> shape_operands(const Node& node);

// Makes the elements of small integer inputs symbols (content) where a shape operand is computed
// from them.
void set_input_symbols(Model& model);

}  // namespace subbyte
