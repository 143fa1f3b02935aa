#include <algorithm>

#include "graph/ops.h"
#include "passes/compact.h"
#include "passes/constant_origin.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

// True for a node whose first output is its first input. A Dropout's mask must be unread.
bool is_identity(const Graph& graph, const Uses& uses, const Node& node) {
  switch (node.op) {
    case Op::Identity:
      return true;
    case Op::Dropout:
      return node.outputs.size() < 2 || uses.count(node.outputs[1]) == 0;
    case Op::Concat:
    case Op::Max:
    case Op::Mean:
    case Op::Min:
    case Op::Sum:
      return node.inputs.size() == 1;
    case Op::Cast: {
      const DType from = graph.values[node.inputs[0]].dtype;
      return from != DType::undefined && node.int_or("to", 0) == static_cast<std::int64_t>(from);
    }
    default:
      return false;
  }
}

// Which value stands for each value once identities are gone.
struct Replacements {
  std::vector<ValueId> by;

  explicit Replacements(std::size_t values) : by(values) {
    for (std::size_t v = 0; v < values; ++v) by[v] = static_cast<ValueId>(v);
  }
  ValueId operator[](ValueId v) const {
    while (by[v] != v) v = by[v];
    return v;
  }
};

// `to` takes the place of `from` as the output of the node that computes it, and all that is known
// of it.
void take_over(Graph& graph, ValueId from, ValueId to) {
  Value& source = graph.values[from];
  Value& target = graph.values[to];
  std::ranges::replace(graph.nodes[source.producer].outputs, from, to);
  target.producer = source.producer;
  if (source.dtype != DType::undefined) target.dtype = source.dtype;
  if (source.shape) target.shape = std::move(source.shape);
  if (source.content) target.content = std::move(source.content);
  source.producer = kNone;
}

}  // namespace

// A graph output keeps its name: what computes the input of the identity computes the output in its
// stead. Where that input is itself a graph input or output, or a constant that others read too,
// both names must stay, and so does the node.
Expected<void> remove_identities(Model& model) {
  Graph& graph = model.main();
  const Uses uses = find_uses(graph);
  Replacements replaced(graph.values.size());
  std::vector<bool> keep_nodes(graph.nodes.size(), true), keep_values(graph.values.size(), true);

  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    for (ValueId& input : node.inputs)
      if (input != kNone) input = replaced[input];
    if (node.inputs.empty() || node.inputs[0] == kNone || node.outputs.empty() ||
        !is_identity(graph, uses, node))
      continue;
    const ValueId from = node.inputs[0], to = node.outputs[0];
    if (uses.outputs[to] == 0) {
      replaced.by[to] = from;
      keep_values[to] = false;
    } else if (graph.values[from].constant && uses.count(from) == 1) {
      graph.values[to].constant = graph.values[from].constant;
      inherit_origin(graph.values[to], graph.values[from]);
      graph.values[to].source = graph.values[from].source;
      graph.values[to].producer = kNone;
    } else if (graph.values[from].producer != kNone && uses.outputs[from] == 0 &&
               replaced.by[from] == from) {
      take_over(graph, from, to);
      replaced.by[from] = to;
      keep_values[from] = false;
    } else {
      // A constant of several readers is stored once, and the output copied from it.
      continue;
    }
    keep_nodes[n] = false;
    if (node.outputs.size() > 1) keep_values[node.outputs[1]] = false;
  }
  for (Node& node : graph.nodes)
    for (ValueId& input : node.inputs)
      if (input != kNone) input = replaced[input];
  compact(graph, keep_nodes, keep_values);
  return {};
}

}  // namespace subbyte
