#include "plan/repeat_by_views.h"

#include <fmt/core.h>

#include "graph/ops.h"
#include "plan/resize_code.h"

namespace subbyte {

namespace {

ValueId add_shape(Model& model, const std::string& name, const std::vector<Expr>& shape) {
  Value value;
  value.name = name;
  value.dtype = DType::int64;
  value.shape = {model.exprs.constant(static_cast<std::int64_t>(shape.size()))};
  value.content = shape;
  return model.main().add_value(std::move(value));
}

ValueId add_step(Model& model, Op op, ValueId from, const std::string& name,
                 std::vector<Expr> shape, ValueId into) {
  Graph& graph = model.main();
  const ValueId operand = add_shape(model, name + "_shape", shape);
  if (into == kNone) {
    Value value;
    value.name = name;
    value.dtype = graph.values[from].dtype;
    value.shape = std::move(shape);
    into = graph.add_value(std::move(value));
  }
  Node node;
  node.op = op;
  node.op_type = op_info(op).name;
  node.name = name;
  node.inputs = {from, operand};
  node.outputs = {into};
  graph.add_node(std::move(node));
  return into;
}

// [.., d, ..] -> [.., d, 1, ..] -> [.., d, times, ..] -> [.., d * times, ..]
void add_views(Model& model, const Node& node, const std::vector<std::int64_t>& repeats) {
  const std::vector<Expr> in = *model.main().values[node.inputs[0]].shape;
  const std::vector<Expr> out = *model.main().values[node.outputs[0]].shape;
  const std::string name = model.main().values[node.outputs[0]].name;
  std::vector<Expr> split, repeated;
  for (std::size_t axis = 0; axis < in.size(); ++axis) {
    split.push_back(in[axis]);
    repeated.push_back(in[axis]);
    if (repeats[axis] == 1) continue;
    split.push_back(model.exprs.constant(1));
    repeated.push_back(model.exprs.constant(repeats[axis]));
  }
  const ValueId apart = add_step(model, Op::Reshape, node.inputs[0], name + "_apart", split, kNone);
  const ValueId each = add_step(model, Op::Expand, apart, name + "_repeated", repeated, kNone);
  add_step(model, Op::Reshape, each, name + "_joined", out, node.outputs[0]);
}

}  // namespace

void repeat_by_views(Model& model) {
  Graph& graph = model.main();
  const std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  for (const Node& node : nodes) {
    const bool resize = node.op == Op::Resize;
    const auto repeats = resize ? whole_repeats(model.exprs, graph, node) : std::nullopt;
    if (repeats) {
      add_views(model, node, *repeats);
    } else {
      graph.add_node(node);
    }
  }
}

}  // namespace subbyte
