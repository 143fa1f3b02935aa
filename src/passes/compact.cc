#include "passes/compact.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace subbyte {
namespace {

// Moves the kept elements to the front and returns the new index of each old one, kNone for the
// others.
template <typename T>
std::vector<std::uint32_t> keep_only(std::vector<T>& elements, const std::vector<bool>& keep) {
  std::vector<std::uint32_t> moved(elements.size(), kNone);
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (!keep[i]) continue;
    if (i != count) elements[count] = std::move(elements[i]);
    moved[i] = count++;
  }
  elements.resize(count);
  return moved;
}

void renumber(std::vector<ValueId>& ids, const std::vector<std::uint32_t>& moved) {
  for (ValueId& id : ids)
    if (id != kNone) id = moved[id];
}

}  // namespace

void compact(Graph& graph, const std::vector<bool>& keep_nodes,
             const std::vector<bool>& keep_values) {
  const auto new_nodes = keep_only(graph.nodes, keep_nodes);
  const auto new_values = keep_only(graph.values, keep_values);
  for (Value& value : graph.values)
    if (value.producer != kNone) value.producer = new_nodes[value.producer];
  for (Node& node : graph.nodes) {
    renumber(node.inputs, new_values);
    renumber(node.outputs, new_values);
  }
  renumber(graph.inputs, new_values);
  renumber(graph.outputs, new_values);
}

void prepend(Graph& graph, std::vector<Node> nodes) {
  if (nodes.empty()) return;
  const auto count = static_cast<NodeId>(nodes.size());
  for (Value& value : graph.values)
    if (value.producer != kNone) value.producer += count;
  for (NodeId n = 0; n < count; ++n)
    for (const ValueId output : nodes[n].outputs) graph.values[output].producer = n;
  std::ranges::move(graph.nodes, std::back_inserter(nodes));
  graph.nodes = std::move(nodes);
}

}  // namespace subbyte
