#include "plan/upper_bounds.h"

#include <fmt/format.h>

#include "graph/node_form.h"
#include "graph/op_info.h"
#include "graph/ops.h"

namespace subbyte {

std::optional<Expr> UpperBounds::settle(const Node& node, ValueId v,
                                        std::span<const ValueRange> ranges) {
  const Value& value = graph_.values[v];
  Bound bound = value.content ? of_content(value) : computed(node, ranges);
  if (bound && !exprs_.is_small(*bound)) bound.reset();
  return uppers_[v] = bound;
}

bool UpperBounds::is_met_early(Expr upper, double most) const {
  constexpr std::int64_t kOne = 1 << 16, kEach = 64;
  const auto exceeds = [&](const std::vector<std::int64_t>& sizes) {
    return static_cast<double>(exprs_.evaluate(upper, sizes)) > most;
  };
  const std::size_t count = exprs_.symbols().size();
  if (exceeds(std::vector<std::int64_t>(count, kEach))) return true;
  std::vector<std::int64_t> sizes(count, 1);
  for (std::int64_t& size : sizes) {
    size = kOne;
    if (exceeds(sizes)) return true;
    size = 1;
  }
  return false;
}

Model::Constraint UpperBounds::constraint(const Node& node, Expr upper, double most) const {
  const auto id = static_cast<NodeId>(&node - graph_.nodes.data());
  const auto limit = static_cast<std::int64_t>(most);
  return {exprs_.less(upper, exprs_.constant(limit + 1)),
          fmt::format("{}: a 64-bit integer that it computes may exceed {}, the most that the "
                      "GPU's 32 bits hold",
                      describe(graph_, id), limit)};
}

UpperBounds::Bound UpperBounds::of_content(const Value& value) const {
  if (value.content->empty()) return std::nullopt;
  Expr largest = value.content->front();
  for (const Expr e : *value.content) {
    if (e != largest) largest = exprs_.max(largest, e);
    if (!exprs_.is_small(largest)) return std::nullopt;
  }
  return largest;
}

UpperBounds::Bound UpperBounds::of_input(const Node& node, std::size_t i,
                                         std::span<const ValueRange> ranges) const {
  const ValueId v = node.inputs[i];
  if (uppers_[v]) return uppers_[v];
  if (graph_.values[v].content) return of_content(graph_.values[v]);
  // What an input may hold at most it seldom does: a run is not refused for it.
  if (!graph_.values[v].constant && ranges[v].most > 1) return std::nullopt;
  if (!(std::abs(ranges[v].most) < 0x1p62)) return std::nullopt;
  return exprs_.constant(static_cast<std::int64_t>(std::ceil(ranges[v].most)));
}

UpperBounds::Bound UpperBounds::sum_of(const Node& node, std::span<const ValueRange> ranges) const {
  Bound total = exprs_.constant(0);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto part = of_input(node, i, ranges);
    if (!part) return std::nullopt;
    total = exprs_.add(*total, *part);
  }
  return total;
}

UpperBounds::Bound UpperBounds::computed(const Node& node,
                                         std::span<const ValueRange> ranges) const {
  const auto range = [&](std::size_t i) { return ranges[node.inputs[i]]; };
  if (is_view(node.op)) return of_input(node, 0, ranges);
  switch (node.op) {
    case Op::Cast:
    case Op::Gather:
    case Op::GatherElements:
    case Op::GatherND:
      return of_input(node, 0, ranges);
    case Op::Range: {
      const auto limit = of_input(node, 1, ranges);
      if (!limit || range(2).least < 1) return std::nullopt;
      return exprs_.sub(*limit, exprs_.constant(1));
    }
    case Op::Add:
      return sum_of(node, ranges);
    case Op::Sub: {
      const auto from = of_input(node, 0, ranges);
      if (!from || !(std::abs(range(1).least) < 0x1p62)) return std::nullopt;
      return exprs_.sub(*from, exprs_.constant(static_cast<std::int64_t>(range(1).least)));
    }
    case Op::Mul: {
      const auto a = of_input(node, 0, ranges), b = of_input(node, 1, ranges);
      if (!a || !b || range(0).least < 0 || range(1).least < 0) return std::nullopt;
      return exprs_.mul(*a, *b);
    }
    case Op::Merge:
    case Op::Where:
    case Op::Max: {
      const std::size_t first = node.op == Op::Max ? 0 : 1;
      if (node.inputs.size() != first + 2) return std::nullopt;
      const auto a = of_input(node, first, ranges), b = of_input(node, first + 1, ranges);
      if (!a || !b) return std::nullopt;
      return *a == *b ? a : exprs_.max(*a, *b);
    }
    case Op::ArgMax:
    case Op::ArgMin: {
      const auto& shape = *graph_.values[node.inputs[0]].shape;
      return exprs_.sub(shape[axis_of(node)], exprs_.constant(1));
    }
    case Op::ReduceSum:
    case Op::CumSum: {
      // Each of the input's elements once, at most.
      const auto largest = of_input(node, 0, ranges);
      if (!largest || range(0).least < 0) return std::nullopt;
      return exprs_.mul(*largest, exprs_.product(*graph_.values[node.inputs[0]].shape));
    }
    case Op::Min:
      return of_input(node, 0, ranges);
    default:
      return std::nullopt;
  }
}

}  // namespace subbyte
