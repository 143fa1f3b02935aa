// Sizes moved until the constraints of a model hold.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

// Moves one symbol, or several of one size, at a time to a value at which a broken constraint, or
// an equation in it, holds, as long as fewer constraints are broken each time. Of several ways the
// one that leaves the symbol largest is taken: a size of 1 holds often and says little.
void repair_sizes(const Model& model, std::vector<std::int64_t>& sizes);

}  // namespace subbyte
