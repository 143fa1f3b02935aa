#include <string_view>
#include <unordered_set>

#include "graph/ops.h"
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

// Outputs beyond the first that an operator of a fixed number of outputs may leave out.
bool may_be_absent(const Node& node, std::size_t output) {
  return output > 0 && node.op != Op::Unknown && op_info(node.op).outputs_max != kMany;
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
    for (const ValueId output : graph.nodes[n].outputs)
      if (output != kNone && used[output]) keep[n] = true;
    if (!keep[n]) continue;
    for (const ValueId input : graph.nodes[n].inputs)
      if (input != kNone) used[input] = true;
  }

  std::vector<bool> keep_values = used;
  for (const ValueId input : graph.inputs) keep_values[input] = true;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    for (std::size_t i = 0; keep[n] && i < node.outputs.size(); ++i)
      if (node.outputs[i] != kNone && !may_be_absent(node, i)) keep_values[node.outputs[i]] = true;
  }
  compact(graph, keep, keep_values);
  for (Node& node : graph.nodes)
    while (node.outputs.size() > 1 && node.outputs.back() == kNone) node.outputs.pop_back();
  return {};
}

}  // namespace subbyte
