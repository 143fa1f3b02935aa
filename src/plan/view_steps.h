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

// True for operators that keep the row-major order of all elements: Identity, Reshape, Squeeze, ...
bool keeps_order(const Node& node);

}  // namespace subbyte
