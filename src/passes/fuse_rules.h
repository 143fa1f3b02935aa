// What the fusion passes share: a rule is a pattern and the node that stands for it.
#pragma once

#include <optional>
#include <span>

#include "graph/graph.h"
#include "passes/canonicalize_rules.h"
#include "passes/pattern.h"

namespace subbyte {

// The model, as a rule may look at it, and constants for the nodes that it makes.
struct Fusing {
  const ExprPool& exprs;
  Graph& graph;
  ConstantMaker& constants;

  const Value& value(ValueId v) const { return graph.values[v]; }
  // Whether both shapes are known, and equal whatever the symbols are.
  bool same_shape(ValueId a, ValueId b) const;
};

struct FusionRule {
  Pattern pattern;
  // The node that computes the same as the match, without outputs and name; nullopt where its
  // values do not fit.
  std::optional<Node> (*make)(const Fusing& fusing, const Match& match);
};

// Replaces each match of a rule, earlier rules first, by its node, which computes the value of the
// match's root under its old name. Where something else reads a value computed on the way nothing
// is replaced. Nodes are tried from the last to the first, so that what comes after a computation
// (a scale, a bias) is found before the computation alone is. Nodes are removed, but values are
// not: weights are stored under their ValueIds.
Expected<void> fuse(Model& model, std::span<const FusionRule> rules);

// A node of an operator of the table in ai.onnx.
Node make_node(Op op, std::vector<ValueId> inputs, std::vector<Attribute> attributes);

// The axes, in order, of a reduction that keeps them as 1; nullopt for any other node and where the
// rank is not known.
std::optional<std::vector<std::size_t>> kept_axes(const Fusing& fusing, ValueId reduced);

}  // namespace subbyte
