#include "quantize/graph_walk.h"

#include <algorithm>
#include <set>

#include "graph/ops.h"

namespace subbyte {
namespace {

// Walks are short; a graph made to be long must not make them slow.
constexpr std::size_t kMostVisited = 256;

// Operators that pass on each element, or rearrange them.
bool passes_on(const Node& node) {
  const Role role = family_of(node.op).role;
  return role == Role::scalar || role == Role::view || node.op == Op::Gather ||
         node.op == Op::Merge || node.op == Op::Concat;
}

bool is_linear(Op op) {
  switch (op) {
    case Op::Add:
    case Op::Sub:
    case Op::Mul:
    case Op::Div:
    case Op::Neg:
    case Op::Cast:
    case Op::Sum:
    case Op::Mean:
    case Op::Where:
      return true;
    default:
      return family_of(op).role != Role::scalar;
  }
}

}  // namespace

GraphWalk::GraphWalk(const Graph& graph, std::span<const NodeId> readers,
                     std::span<const WeightUse> uses)
    : graph_(graph), uses_(find_uses(graph)), product_follows_(graph.nodes.size(), false) {
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const WeightUseKind kind = uses[i].kind;
    if (kind == WeightUseKind::matmul || kind == WeightUseKind::gemm ||
        kind == WeightUseKind::conv) {
      weights_.emplace(readers[i], i);
    }
  }
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    for (const ValueId output : graph.nodes[n].outputs) {
      if (output == kNone) continue;
      for (const NodeId reader : uses_.readers[output]) {
        if (weights_.count(reader) > 0 || product_follows_[reader]) product_follows_[n] = true;
      }
    }
  }
}

std::optional<std::size_t> GraphWalk::weight_of(NodeId node) const {
  const auto found = weights_.find(node);
  return found == weights_.end() ? std::nullopt : std::optional(found->second);
}

bool GraphWalk::is_computed(ValueId value) const {
  return value != kNone && !graph_.values[value].constant && !graph_.values[value].content;
}

NodeId GraphWalk::producer(ValueId value) const {
  return value == kNone ? kNone : graph_.values[value].producer;
}

std::vector<ValueId> GraphWalk::computed_inputs(const Node& node) const {
  std::vector<ValueId> inputs;
  for (const ValueId input : node.inputs) {
    if (is_computed(input)) inputs.push_back(input);
  }
  return inputs;
}

bool GraphWalk::joins_two(NodeId node) const {
  const Node& n = graph_.nodes[node];
  return n.op == Op::MatMul && weights_.count(node) == 0 && computed_inputs(n).size() == 2;
}

GraphWalk::Sources GraphWalk::sources(ValueId value) const {
  Sources found;
  std::set<NodeId> seen;
  std::set<std::size_t> products;
  std::vector<ValueId> open = {value};
  while (!open.empty()) {
    const NodeId n = producer(open.back());
    open.pop_back();
    if (n == kNone) {
      found.others = true;
      continue;
    }
    if (!seen.insert(n).second) continue;
    const Node& node = graph_.nodes[n];
    if (const auto weight = weight_of(n)) {
      products.insert(*weight);
    } else if (!passes_on(node) || seen.size() > kMostVisited) {
      found.others = true;
    } else {
      found.activation = found.activation || !is_linear(node.op);
      const auto inputs = computed_inputs(node);
      open.insert(open.end(), inputs.begin(), inputs.end());
    }
  }
  found.products.assign(products.begin(), products.end());
  return found;
}

NodeId GraphWalk::joining_before(ValueId value) const {
  std::set<NodeId> seen;
  std::vector<ValueId> open = {value};
  while (!open.empty() && seen.size() <= kMostVisited) {
    const NodeId n = producer(open.back());
    open.pop_back();
    if (n == kNone || !seen.insert(n).second) continue;
    if (joins_two(n)) return n;
    if (!passes_on(graph_.nodes[n])) continue;
    const auto inputs = computed_inputs(graph_.nodes[n]);
    open.insert(open.end(), inputs.begin(), inputs.end());
  }
  return kNone;
}

NodeId GraphWalk::joining_after(ValueId value) const {
  std::set<NodeId> seen;
  std::vector<ValueId> open = {value};
  while (!open.empty() && seen.size() <= kMostVisited) {
    const ValueId v = open.back();
    open.pop_back();
    for (const NodeId n : uses_.readers[v]) {
      if (!seen.insert(n).second) continue;
      if (joins_two(n)) return n;
      if (!passes_on(graph_.nodes[n])) continue;
      for (const ValueId output : graph_.nodes[n].outputs) {
        if (output != kNone) open.push_back(output);
      }
    }
  }
  return kNone;
}

std::optional<std::size_t> GraphWalk::product_after(ValueId value) const {
  for (std::size_t step = 0; step < kMostVisited; ++step) {
    NodeId next = kNone;
    for (const NodeId n : uses_.readers[value]) {
      if (const auto weight = weight_of(n)) return weight;
      if (next == kNone && passes_on(graph_.nodes[n])) next = n;
    }
    if (next == kNone || computed_inputs(graph_.nodes[next]).size() != 1) return std::nullopt;
    value = graph_.nodes[next].outputs[0];
    if (value == kNone) return std::nullopt;
  }
  return std::nullopt;
}

std::vector<NodeId> GraphWalk::between(ValueId a, ValueId b) const {
  // Nodes stand in topological order, so the greatest number is looked at first: once one node that
  // both come from is all that is left, the ways have met.
  std::map<NodeId, int, std::greater<>> open;
  const auto reach = [&](ValueId value, int side) {
    const NodeId n = producer(value);
    if (n != kNone) open[n] |= side;
    return n != kNone;
  };
  if (!reach(a, 1) || !reach(b, 2)) return {};
  std::vector<NodeId> inside;
  while (inside.size() <= kMostVisited && !open.empty()) {
    const auto [n, sides] = *open.begin();
    open.erase(open.begin());
    if (sides == 3 && open.empty()) return inside;
    inside.push_back(n);
    for (const ValueId input : computed_inputs(graph_.nodes[n])) {
      if (!reach(input, sides)) return {};
    }
  }
  return {};
}

}  // namespace subbyte
