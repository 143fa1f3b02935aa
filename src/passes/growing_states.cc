#include "passes/growing_states.h"

#include <algorithm>
#include <string_view>

#include "graph/ops.h"
#include "passes/body_splicer.h"

namespace subbyte {
namespace {

const Node* producer_of(const Graph& graph, ValueId value) {
  const NodeId node = graph.values[value].producer;
  return node == kNone ? nullptr : &graph.nodes[node];
}

// What the node puts behind its first input; none where it does something else.
std::vector<ValueId> put_behind(const Node& node) {
  const bool adds = node.op == Op::Concat || (node.op == Op::SequenceInsert && !node.has_input(2));
  if (!adds || node.inputs.size() < 2) return {};
  if (node.op == Op::SequenceInsert) return {node.inputs[1]};
  return {node.inputs.begin() + 1, node.inputs.end()};
}

}  // namespace

std::optional<Growth> find_growth(const Model& model, const Graph& body, ValueId state,
                                  ValueId next) {
  Growth growth;
  const Node* last = nullptr;
  for (ValueId v = next; v != state;) {
    const Node* node = producer_of(body, v);
    if (node == nullptr || count_readers(model, body, v) != 1) return std::nullopt;
    growth.replaced.push_back(v);
    v = node->has_input(0) ? node->inputs[0] : kNone;
    if (v == kNone) return std::nullopt;
    // A state has one dtype in all turns, so that a Cast to it changes nothing.
    const auto dtype = static_cast<std::int64_t>(body.values[state].dtype);
    if (node->op == Op::Identity || (node->op == Op::Cast && node->int_or("to", 0) == dtype))
      continue;
    const std::vector<ValueId> parts = put_behind(*node);
    const std::int64_t axis = node->int_or("axis", 0);
    if (parts.empty() || (last != nullptr && (last->op != node->op || axis != growth.axis)))
      return std::nullopt;
    last = node;
    growth.is_sequence = node->op == Op::SequenceInsert;
    growth.axis = axis;
    growth.parts.insert(growth.parts.begin(), parts.begin(), parts.end());
  }
  if (last == nullptr || count_readers(model, body, state) != 1) return std::nullopt;
  growth.replaced.push_back(state);
  return growth;
}

bool is_made_sequence(const Graph& graph, ValueId value) {
  const Node* node = producer_of(graph, value);
  if (node == nullptr) return false;
  switch (node->op) {
    case Op::SequenceConstruct:
    case Op::SequenceEmpty:
    case Op::SequenceErase:
    case Op::SequenceInsert:
    case Op::SplitToSequence:
      return true;
    default:
      return false;
  }
}

}  // namespace subbyte
