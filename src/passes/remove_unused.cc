#include <string_view>
#include <unordered_set>

#include "graph/op_info.h"
#include "passes/compact.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

// Names that graphs inside nodes take from the graphs around them: values without an origin of
// their own.
std::unordered_set<std::string_view> captured_names(const Model& model) {
  std::unordered_set<std::string_view> names;
  for (std::size_t g = 1; g < model.graphs.size(); ++g) {
    const Graph& graph = model.graphs[g];
    std::vector<bool> is_input(graph.values.size());
    for (const ValueId input : graph.inputs) is_input[input] = true;
    for (std::size_t v = 0; v < graph.values.size(); ++v) {
      const Value& value = graph.values[v];
      if (!is_input[v] && value.producer == kNone && !value.constant) names.insert(value.name);
    }
  }
  return names;
}

// How many outputs the node must have for those that are used.
std::size_t wanted_outputs(const Node& node, const std::vector<bool>& used) {
  std::size_t count = node.outputs.size();
  if (keeps_outputs(node.op)) return count;
  while (count > 1 && !used[node.outputs[count - 1]]) --count;
  return count;
}

}  // namespace

Expected<void> remove_unused(Model& model) {
  Graph& graph = model.main();
  std::vector<bool> used(graph.values.size());
  for (const ValueId output : graph.outputs) used[output] = true;
  const auto captured = captured_names(model);
  for (std::size_t v = 0; v < used.size(); ++v)
    if (captured.contains(graph.values[v].name)) used[v] = true;

  // Nodes are in topological order, so all readers of a node's outputs come after it.
  std::vector<bool> keep(graph.nodes.size());
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    for (const ValueId output : graph.nodes[n].outputs) keep[n] = keep[n] || used[output];
    if (!keep[n]) continue;
    for (const ValueId input : graph.nodes[n].inputs)
      if (input != kNone) used[input] = true;
  }

  std::vector<bool> keep_values = used;
  for (const ValueId input : graph.inputs) keep_values[input] = true;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!keep[n]) continue;
    Node& node = graph.nodes[n];
    node.outputs.resize(wanted_outputs(node, used));
    for (const ValueId output : node.outputs) keep_values[output] = true;
  }
  compact(graph, keep, keep_values);
  return {};
}

}  // namespace subbyte
