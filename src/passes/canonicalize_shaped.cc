// Older operators whose canonical form depends on the type or rank of their input.
#include <utility>

#include "graph/ops.h"
#include "passes/canonicalize_rules.h"
#include "reference/element.h"

namespace subbyte {
namespace {

bool is_old_clip(const Node& node, std::int64_t opset) {
  return node.op == Op::Clip && opset < 11 &&
         (node.find("min") != nullptr || node.find("max") != nullptr);
}

bool is_old_softmax(const Node& node, std::int64_t opset) {
  return (node.op == Op::Softmax || node.op == Op::LogSoftmax || node.op == Op::Hardmax) &&
         opset < 13;
}

void clip_to_inputs(ConstantMaker& make, const Graph& graph, Node& node) {
  // Before opset 11 Clip took floats only; one whose type is not known is refused elsewhere.
  const DType known = graph.values[node.inputs[0]].dtype;
  const DType dtype = is_float(known) ? known : DType::float32;
  const std::pair<std::string_view, std::size_t> limits[] = {{"min", 1}, {"max", 2}};
  for (const auto& [name, position] : limits) {
    if (node.find(name) == nullptr) continue;
    set_input(node, position,
              make.add(node, name, reference::scalar_from(dtype, node.float_or(name, 0))));
    remove_attribute(node, name);
  }
}

// Before opset 13 the softmax was that of a matrix: the axes from `axis` on are one. Where that is
// only the last axis nothing else changes.
void softmax_of_matrix(ConstantMaker& make, Graph& graph, Node node) {
  const auto& shape = graph.values[node.inputs[0]].shape;
  std::int64_t axis = node.int_or("axis", 1);
  if (shape && axis >= 0) axis -= static_cast<std::int64_t>(shape->size());
  if (axis == -1) {
    set_attribute(node, "axis", std::int64_t{-1});
    graph.add_node(std::move(node));
    return;
  }
  const ValueId data = node.inputs[0];
  const ValueId result = node.outputs[0];
  const auto add = [&](Op op, std::vector<ValueId> inputs, ValueId output,
                       std::vector<Attribute> attributes) {
    Node added;
    added.op = op;
    added.op_type = std::string(op_info(op).name);
    added.name = node.name;
    added.inputs = std::move(inputs);
    added.outputs = {output};
    added.attributes = std::move(attributes);
    graph.add_node(std::move(added));
  };
  const ValueId sizes = make.add_value(node, "shape");
  const ValueId matrix = make.add_value(node, "matrix");
  const ValueId rows = make.add_value(node, "rows");
  add(Op::Shape, {data}, sizes, {});
  add(Op::Flatten, {data}, matrix, {{"axis", axis}});
  add(node.op, {matrix}, rows, {{"axis", std::int64_t{-1}}});
  add(Op::Reshape, {rows, sizes}, result, {});
}

}  // namespace

Expected<void> canonicalize_shaped(Model& model, Graph& graph) {
  ConstantMaker make(model.exprs, graph);
  std::vector<Node> nodes = std::exchange(graph.nodes, {});
  for (Node& node : nodes) {
    if (is_old_softmax(node, model.opset) && node.outputs.size() == 1 && node.outputs[0] != kNone) {
      softmax_of_matrix(make, graph, std::move(node));
      continue;
    }
    if (is_old_clip(node, model.opset)) clip_to_inputs(make, graph, node);
    graph.add_node(std::move(node));
  }
  return {};
}

}  // namespace subbyte
