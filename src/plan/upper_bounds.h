// Upper bounds of integers as expressions of sizes and constants: what no interval shows, because
// two sizes that are each large have a product that is not.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "plan/value_range.h"

namespace subbyte {

class UpperBounds {
 public:
  explicit UpperBounds(Model& model)
      : graph_(model.main()), exprs_(model.exprs), uppers_(graph_.values.size()) {}

  // The bound of an output of `node`, an integer, from those of its inputs; `ranges` by value.
  std::optional<Expr> settle(const Node& node, ValueId v, std::span<const ValueRange> ranges);
  void forget(ValueId v) { uppers_[v].reset(); }
  bool is_constant(Expr upper) const { return exprs_.value(upper).has_value(); }

  // Whether sizes that runs commonly have make the bound larger than `most`: each one alone of tens
  // of thousands, or all of them of tens. A bound says what a result may be at most, not what it
  // is, so that those runs are not refused for it.
  bool is_met_early(Expr upper, double most) const;
  // That what `node` computes is at most `most` where its bound is.
  Model::Constraint constraint(const Node& node, Expr upper, double most) const;

 private:
  using Bound = std::optional<Expr>;
  Bound computed(const Node& node, std::span<const ValueRange> ranges) const;
  Bound of_content(const Value& value) const;
  Bound of_input(const Node& node, std::size_t i, std::span<const ValueRange> ranges) const;
  Bound sum_of(const Node& node, std::span<const ValueRange> ranges) const;

  const Graph& graph_;
  ExprPool& exprs_;
  std::vector<Bound> uppers_;
};

}  // namespace subbyte
