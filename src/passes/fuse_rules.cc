#include "passes/fuse_rules.h"

#include "graph/families.h"
#include "graph/node_form.h"
#include "passes/compact.h"

namespace subbyte {
namespace {

// Whether the node is the root of a rule's match, which it then replaces.
std::optional<Match> apply(const Fusing& fusing, const Uses& uses, const FusionRule& rule,
                           NodeId root) {
  auto found = match(fusing.graph, rule.pattern, root);
  if (!found || !is_private(fusing.graph, uses, *found)) return std::nullopt;
  auto made = rule.make(fusing, *found);
  if (!made) return std::nullopt;
  Node& node = fusing.graph.nodes[root];
  made->outputs = std::move(node.outputs);
  made->name = std::move(node.name);
  node = std::move(*made);
  return found;
}

}  // namespace

bool Fusing::same_shape(ValueId a, ValueId b) const {
  return value(a).shape && value(b).shape && *value(a).shape == *value(b).shape;
}

Expected<void> fuse(Model& model, std::span<const FusionRule> rules) {
  if (model.graphs.size() > 1) return {};  // graphs inside nodes may read any value
  Graph& graph = model.main();
  // Not kept up to date: what a new node reads, the nodes that it replaces have read before it.
  const Uses uses = find_uses(graph);
  ConstantMaker constants(model.exprs, graph);
  const Fusing fusing{model.exprs, graph, constants};
  std::vector<bool> keep(graph.nodes.size(), true);
  for (auto root = static_cast<NodeId>(graph.nodes.size()); root-- > 0;) {
    if (!keep[root]) continue;
    for (const FusionRule& rule : rules) {
      const auto fused = apply(fusing, uses, rule, root);
      if (!fused) continue;
      for (const NodeId inner : fused->nodes) keep[inner] = inner == root;
      break;
    }
  }
  compact(graph, keep, std::vector<bool>(graph.values.size(), true));
  return {};
}

Node make_node(Op op, std::vector<ValueId> inputs, std::vector<Attribute> attributes) {
  Node made;
  made.op = op;
  made.op_type = op_info(op).name;
  made.domain = op_info(op).domain;
  made.inputs = std::move(inputs);
  made.attributes = std::move(attributes);
  return made;
}

std::optional<std::vector<std::size_t>> kept_axes(const Fusing& fusing, ValueId reduced) {
  const NodeId id = fusing.value(reduced).producer;
  if (id == kNone) return std::nullopt;
  const Node& node = fusing.graph.nodes[id];
  const auto& shape = fusing.value(node.inputs[0]).shape;
  if (op_info(node.op).infer != ShapeRule::reduce || node.int_or("keepdims", 0) == 0 || !shape)
    return std::nullopt;
  return axes_operand(fusing.graph, node, 1);
}

}  // namespace subbyte
