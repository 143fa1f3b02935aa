// What folding keeps of a constant that arrived as codes (graph/grid.h).
#pragma once

#include <memory>
#include <span>

#include "graph/grid.h"

namespace subbyte {

// The grid of the only output of a node that was folded; nullptr where it has none. A Cast of
// integers of at most 8 bits to floats begins one, a subtraction of zero points and a product with
// scales complete it, views keep it.
std::shared_ptr<const CodeGrid> folded_grid(const Node& node, std::span<const Tensor* const> inputs,
                                            const Tensor& output);

}  // namespace subbyte
