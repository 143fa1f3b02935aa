#include "passes/body_splicer.h"

#include <fmt/core.h>

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

bool is_captured(const Value& value) { return value.producer == kNone && !value.constant; }

}  // namespace subbyte
