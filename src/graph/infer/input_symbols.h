// Which inputs of a model are sizes in disguise.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace subbyte {

// Makes the elements of small integer inputs symbols (content) where a shape operand is computed
// from them.
void set_input_symbols(Model& model);

}  // namespace subbyte
