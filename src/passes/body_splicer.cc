#include "passes/body_splicer.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace subbyte {

BodySplicer::BodySplicer(Graph& graph, std::string separator, int first)
    : graph_(graph), separator_(std::move(separator)), first_(first) {
  for (ValueId v = 0; v < graph.values.size(); ++v) {
    names_.insert(graph.values[v].name);
    ids_.emplace(graph.values[v].name, v);
  }
}

ValueId BodySplicer::add_value(Value value) {
  const std::string base = value.name;
  int& next = next_.try_emplace(base, first_).first->second;
  while (!names_.insert(value.name).second)
    value.name = fmt::format("{}{}{}", base, separator_, next++);
  return graph_.add_value(std::move(value));
}

ValueId BodySplicer::captured(const std::string& name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? kNone : found->second;
}

std::vector<ValueId> BodySplicer::append(const Graph& body, const std::vector<ValueId>& moved) {
  for (Node node : body.nodes) {
    for (auto* list : {&node.inputs, &node.outputs})
      for (ValueId& v : *list)
        if (v != kNone) v = moved[v];
    graph_.add_node(std::move(node));
  }
  std::vector<ValueId> outputs;
  outputs.reserve(body.outputs.size());
  for (const ValueId output : body.outputs) outputs.push_back(moved[output]);
  return outputs;
}

std::size_t count_readers(const Model& model, const Graph& graph, ValueId value) {
  const auto captures = [&](const Attribute& attribute) {
    const auto* ref = std::get_if<GraphRef>(&attribute.value);
    return ref != nullptr &&
           std::ranges::any_of(model.graphs[ref->graph].values, [&](const Value& inner) {
             return inner.name == graph.values[value].name && is_captured(inner);
           });
  };
  auto count = std::ranges::count(graph.outputs, value);
  for (const Node& node : graph.nodes)
    count +=
        std::ranges::count(node.inputs, value) + std::ranges::count_if(node.attributes, captures);
  return static_cast<std::size_t>(count);
}

bool is_captured(const Value& value) { return value.producer == kNone && !value.constant; }

}  // namespace subbyte
