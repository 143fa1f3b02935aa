// Patterns of nodes: what a value must be computed by, written as a tree. Matching tries operands
// of Add and Mul in both orders, and products of several factors in every order and grouping, with
// full backtracking.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "graph/op_info.h"

namespace subbyte {

struct Pattern {
  enum class Kind { any, scalar, number, node, product, either };
  Kind kind = Kind::any;
  // Of a pattern that the match shall remember ("" for none). A name that occurs several times
  // stands for one value.
  std::string_view name{};
  Op op{};                          // of a node
  double value = 0, tolerance = 0;  // of a number; the tolerance is relative
  std::vector<Pattern> parts{};     // inputs, factors or alternatives
};

// Any value.
Pattern any(std::string_view name);
// A float constant of one element, whatever its shape.
Pattern scalar(std::string_view name);
// A constant of one element that is exactly `value`, or with a tolerance (relative to it) near it:
// then what rounding to the constant's dtype does is allowed too.
Pattern number(double value, double tolerance = 0);
// The only output of a node whose first inputs are these; inputs beyond them are not looked at.
Pattern node(Op op, std::vector<Pattern> inputs, std::string_view name = "");
// The product of at most 8 factors: one of them, or a tree of Mul nodes.
Pattern product(std::vector<Pattern> factors);
Pattern either(std::vector<Pattern> alternatives);

struct Match {
  NodeId root = kNone;
  std::vector<std::pair<std::string_view, ValueId>> values{};  // by name
  std::vector<NodeId> nodes{};  // all that the pattern has seen, the root among them

  // kNone for a name that the alternatives taken do not have.
  ValueId operator[](std::string_view name) const;
};

// The first match whose root is this node. The work for one node is bounded whatever the graph is.
std::optional<Match> match(const Graph& graph, const Pattern& pattern, NodeId root);

// Whether only nodes of the match read what its nodes but the root compute, so that these can go.
bool is_private(const Graph& graph, const Uses& uses, const Match& match);

}  // namespace subbyte
