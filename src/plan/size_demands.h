// What integers of 64 bits ask of a run's sizes, where neither a proof nor a kernel that watches
// can tell: an error of the run, before it starts.
#pragma once

#include <optional>

#include "graph/graph.h"
#include "plan/expr_range.h"
#include "plan/value_range.h"

namespace subbyte {

bool is_64_bit(DType dtype);
// What words of the GPU hold of a dtype; everything of floats.
ValueRange range_of(DType dtype);

// That a ReduceMax or ReduceMin has elements, since those of none are the ends of 64 bits; that the
// last element of a Range fits 32 bits, since no kernel reads its limit. nullopt where it always
// holds, and of other operators.
std::optional<Model::Constraint> size_demand(const Graph& graph, ExprPool& exprs,
                                             ExprRanges& ranges, const Node& node);

}  // namespace subbyte
