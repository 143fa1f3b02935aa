#include "graph/branches.h"

#include <algorithm>
#include <iterator>

#include "graph/ops.h"

namespace subbyte {
namespace {

Guard with(Guard guard, Branch branch) {
  const auto at = std::ranges::lower_bound(guard, branch);
  if (at == guard.end() || *at != branch) guard.insert(at, branch);
  return guard;
}

// Of a value while its readers are being looked at.
struct Needs {
  bool is_read = false;
  Guard guard{};

  void add(const Guard& reader) {
    if (!is_read) {
      is_read = true;
      guard = reader;
    } else if (!guard.empty()) {
      Guard common;
      std::ranges::set_intersection(guard, reader, std::back_inserter(common));
      guard = std::move(common);
    }
  }
};

// A node that stands before what decides whether it is needed runs.
void keep_decided(const Graph& graph, NodeId node, Guard& guard) {
  std::erase_if(guard, [&](const Branch& branch) {
    const NodeId decides = graph.values[branch.condition].producer;
    return decides != kNone && decides >= node;
  });
}

}  // namespace

Guards::Guards(const Graph& graph) : values_(graph.values.size()), nodes_(graph.nodes.size()) {
  any_ = std::ranges::any_of(graph.nodes, [](const Node& node) { return node.op == Op::Merge; });
  if (!any_) return;
  std::vector<Needs> needs(graph.values.size());
  for (const ValueId output : graph.outputs) needs[output].add({});
  // Nodes are in topological order, so that all readers of a value come after what computes it.
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    Needs of_node;
    for (const ValueId output : node.outputs) {
      if (output != kNone && needs[output].is_read) of_node.add(needs[output].guard);
    }
    nodes_[n] = of_node.guard;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!node.has_input(i)) continue;
      const bool is_side = node.op == Op::Merge && i > 0;
      needs[node.inputs[i]].add(is_side ? with(of_node.guard, {node.inputs[0], i == 1})
                                        : of_node.guard);
    }
  }
  for (std::size_t v = 0; v < needs.size(); ++v) {
    values_[v] = std::move(needs[v].guard);
    const NodeId producer = graph.values[v].producer;
    if (producer != kNone) keep_decided(graph, producer, values_[v]);
  }
  for (NodeId n = 0; n < nodes_.size(); ++n) keep_decided(graph, n, nodes_[n]);
}

Expr branch_taken(ExprPool& exprs, Expr condition, bool holds) {
  const Expr is_false = exprs.equal(condition, exprs.constant(0));
  if (!holds) return is_false;
  const bool is_bool = exprs.lower(condition) >= 0 && exprs.upper(condition) <= 1;
  return is_bool ? condition : exprs.equal(is_false, exprs.constant(0));
}

}  // namespace subbyte
