#include "plan/size_demands.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "graph/node_form.h"
#include "graph/ops.h"
#include "plan/integer_ranges.h"
#include "plan/schedule.h"

namespace subbyte {

namespace {

using Demand = std::optional<Model::Constraint>;

Demand demand(const Graph& graph, const ExprPool& exprs, const Node& node, Expr holds,
              std::string_view what) {
  if (exprs.is(holds, 1)) return std::nullopt;
  const auto id = static_cast<NodeId>(&node - graph.nodes.data());
  return Model::Constraint{holds, fmt::format("{}: {}", describe(graph, id), what)};
}

// An unsigned 0 is the largest of none too.
Demand elements_of_extreme(const Graph& graph, ExprPool& exprs, const Node& node) {
  const DType dtype = graph.values[node.outputs[0]].dtype;
  if (!is_64_bit(dtype) || (dtype == DType::uint64 && node.op == Op::ReduceMax)) return {};
  const auto& shape = *graph.values[node.inputs[0]].shape;
  const std::vector<bool> reduced = reduced_axes(graph, node);
  std::vector<Expr> kept, gone;
  for (std::size_t i = 0; i < shape.size(); ++i) (reduced[i] ? gone : kept).push_back(shape[i]);
  const Expr of_none = exprs.equal(exprs.product(gone), exprs.constant(0));
  const Expr no_result = exprs.equal(exprs.product(kept), exprs.constant(0));
  return demand(graph, exprs, node, exprs.select(of_none, no_result, exprs.constant(1)),
                fmt::format("the {} of no elements is an end of 64 bits, which does not fit the 32 "
                            "bits of the GPU",
                            node.op == Op::ReduceMax ? "largest" : "smallest"));
}

Demand last_of_range(const Graph& graph, ExprPool& exprs, ExprRanges& ranges, const Node& node) {
  const Value& result = graph.values[node.outputs[0]];
  if (!is_64_bit(result.dtype) || (result.content && is_immediate(result))) return {};
  const auto operand = [&](std::size_t i) -> std::optional<Expr> {
    const auto& content = graph.values[node.inputs[i]].content;
    return content && content->size() == 1 ? std::optional(content->front()) : std::nullopt;
  };
  const auto start = operand(0), delta = operand(2);
  if (!start || !delta) return {};
  // Start and delta are read by kernels, and checked for it.
  const ValueRange words = range_of(result.dtype), steps{-1, static_cast<double>(kMostElements)};
  const ValueRange starts = meet(ranges.of(*start), words);
  const ValueRange deltas = meet(ranges.of(*delta), words);
  if (add(starts, multiply(steps, deltas)).within(words)) return {};
  const Expr count = result.shape->front(), one = exprs.constant(1);
  const Expr last = exprs.add(*start, exprs.mul(exprs.sub(count, one), *delta));
  const auto number = [&](double b) { return exprs.constant(static_cast<std::int64_t>(b)); };
  const Expr fits = exprs.mul(exprs.less(last, number(words.most + 1)),
                              exprs.less(number(words.least - 1), last));
  return demand(graph, exprs, node, exprs.select(exprs.equal(count, exprs.constant(0)), one, fits),
                "its last element does not fit the 32 bits of the GPU");
}

}  // namespace

bool is_64_bit(DType dtype) { return dtype == DType::int64 || dtype == DType::uint64; }

ValueRange range_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return {0, 1};
    case DType::uint8:
      return {0, UINT8_MAX};
    case DType::int8:
      return {INT8_MIN, INT8_MAX};
    case DType::uint16:
      return {0, UINT16_MAX};
    case DType::int16:
      return {INT16_MIN, INT16_MAX};
    case DType::uint32:
    case DType::uint64:
      return {0, UINT32_MAX};
    case DType::int32:
    case DType::int64:
      return {INT32_MIN, INT32_MAX};
    default:
      return {};
  }
}

std::optional<Model::Constraint> size_demand(const Graph& graph, ExprPool& exprs,
                                             ExprRanges& ranges, const Node& node) {
  switch (node.op) {
    case Op::ReduceMax:
    case Op::ReduceMin:
      return elements_of_extreme(graph, exprs, node);
    case Op::Range:
      return last_of_range(graph, exprs, ranges, node);
    default:
      return std::nullopt;
  }
}

}  // namespace subbyte
