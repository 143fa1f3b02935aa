// The ranges of a Slice, for inference and for everything else that needs them.
#pragma once

#include <optional>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// Elements start, start + step, ... of one axis, `length` of them; start is inside the axis
// wherever length is not 0.
struct SliceRange {
  Expr start, step, length;
};

// One for each axis of the data of a canonical Slice (starts, ends, axes and steps as inputs); none
// while the rank or the content of one of them is not known. `nonzero_steps` gets the steps that
// must not be 0 when the module runs.
Expected<std::optional<std::vector<SliceRange>>> slice_ranges(
    ExprPool& exprs, const Graph& graph, const Node& node,
    std::vector<Expr>* nonzero_steps = nullptr);

// The sizes of the outputs of a canonical Split along its axis, in the same way; the caller checks
// that they add up to the size of the axis.
std::optional<std::vector<Expr>> split_sizes(ExprPool& exprs, const Graph& graph, const Node& node,
                                             std::size_t axis);

}  // namespace subbyte
