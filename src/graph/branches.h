// What of a graph runs only where a branch was taken. An If stands in one graph with all that is in
// its branches: a Decide gives its condition, and for each of its outputs a Merge takes the value
// of one branch or of the other. So a value is needed where what reads it is, and a branch is what
// only one side of Merges needs.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace subbyte {

// A condition, the value that a Merge reads, and which of its sides.
struct Branch {
  ValueId condition = kNone;
  bool holds = false;
  friend auto operator<=>(const Branch&, const Branch&) = default;
};

// Sorted. All of them must be taken; none: it is always needed.
using Guard = std::vector<Branch>;

class Guards {
 public:
  // What is read on two sides, or by two nodes of different guards, has what they have in common.
  explicit Guards(const Graph& graph);

  bool any() const { return any_; }
  const Guard& of_value(ValueId v) const { return values_[v]; }
  const Guard& of_node(NodeId n) const { return nodes_[n]; }

 private:
  bool any_ = false;
  std::vector<Guard> values_, nodes_;
};

// 1 where the condition, an element of a bool, is on that side, else 0.
Expr branch_taken(ExprPool& exprs, Expr condition, bool holds);

}  // namespace subbyte
