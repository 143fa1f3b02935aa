#include "plan/index_ranges.h"

#include <algorithm>
#include <optional>

#include "graph/branches.h"
#include "graph/node_form.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

// Every element of the first input is in the result, with its value, and nothing else is.
bool keeps_elements(const Graph& graph, const Node& node) {
  switch (node.op) {
    case Op::Expand:
    case Op::Reshape:
    case Op::Squeeze:
    case Op::Transpose:
    case Op::Unsqueeze:
      return true;
    case Op::Cast: {
      const DType to = graph.values[node.outputs[0]].dtype;
      return (to == DType::int32 || to == DType::int64) &&
             is_integer(graph.values[node.inputs[0]].dtype);
    }
    default:
      return false;
  }
}

std::optional<std::uint32_t> whole_input(const Graph& graph, ValueId v) {
  while (graph.values[v].producer != kNone) {
    const Node& node = graph.nodes[graph.values[v].producer];
    if (!keeps_elements(graph, node)) return std::nullopt;
    v = node.inputs[0];
  }
  const auto input = std::ranges::find(graph.inputs, v);
  if (input == graph.inputs.end() || !is_integer(graph.values[v].dtype)) return std::nullopt;
  return static_cast<std::uint32_t>(input - graph.inputs.begin());
}

}  // namespace

std::vector<InputRange> index_ranges(const Model& model) {
  const Graph& graph = model.main();
  const Guards guards(graph);
  std::vector<InputRange> ranges;
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (node.op != Op::Gather || !guards.of_node(n).empty()) continue;
    const auto input = whole_input(graph, node.inputs[1]);
    const auto& table = graph.values[node.inputs[0]].shape;
    if (!input || !table || table->empty()) continue;
    const auto rows = model.exprs.value((*table)[axis_of(node)]);
    if (rows && *rows > 0) ranges = both_ranges(std::move(ranges), {{*input, -*rows, *rows - 1}});
  }
  return ranges;
}

std::vector<InputRange> both_ranges(std::vector<InputRange> checked,
                                    const std::vector<InputRange>& more) {
  for (const InputRange& range : more) {
    const auto same = std::ranges::find(checked, range.input, &InputRange::input);
    if (same == checked.end()) {
      checked.push_back(range);
      continue;
    }
    same->least = std::max(same->least, range.least);
    same->most = std::min(same->most, range.most);
  }
  std::ranges::sort(checked, {}, &InputRange::input);
  return checked;
}

}  // namespace subbyte
