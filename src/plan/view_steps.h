// What an operator that only rearranges elements does to an access.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"
#include "plan/view.h"

namespace subbyte {

struct ViewStep {
  enum class Kind : std::uint8_t { reshape, permute, expand, slice } kind = Kind::reshape;
  std::vector<Expr> shape;  // of the result
  std::vector<std::int64_t> permutation;
  std::vector<Expr> starts, steps;  // of slice, one for each axis
  friend bool operator==(const ViewStep&, const ViewStep&) = default;
};

// The steps, first to last, from input 0 of a node of the family `view` to one of its outputs.
std::vector<ViewStep> view_steps(Model& model, const Graph& graph, const Node& node,
                                 std::size_t output);

Access apply(ExprPool& exprs, const Access& access, const ViewStep& step);

// True where an output has all elements of input 0 in their row-major order: Identity, Reshape, ...
bool keeps_order(const Node& node, ValueId output);

// The second output of Dropout, which is true everywhere when a model only infers, and reads
// nothing.
bool is_dropout_mask(const Node& node, ValueId output);

}  // namespace subbyte
