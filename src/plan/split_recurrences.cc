#include "plan/split_recurrences.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "graph/ops.h"
#include "graph/recurrence.h"
#include "plan/schedule.h"

namespace subbyte {

namespace {

class Splitter {
 public:
  explicit Splitter(Model& model) : model_(model) {
    for (const Value& value : graph().values) names_.insert(value.name);
  }

  void split(Node node) {
    node_ = &node;
    const auto read = recurrence_of(node);
    if (!read) {  // which inference has refused
      graph().add_node(std::move(node));
      return;
    }
    r_ = *read;
    const std::vector<Expr> x = shape(node.inputs[0]);
    hidden_ = shape(node.inputs[2])[2];
    time_ = x[r_.batch_first ? 1 : 0];
    batch_ = x[r_.batch_first ? 0 : 1];
    node.inputs.resize(7 + (node.op == Op::LSTM ? 1 : 0), kNone);
    node.inputs[0] = projected(x[2]);
    node.inputs[1] = kNone;
    if (!keeps_biases()) node.inputs[3] = kNone;
    first_states(node);
    graph().add_node(std::move(node));
  }

 private:
  Graph& graph() { return model_.main(); }
  ExprPool& exprs() { return model_.exprs; }
  const std::vector<Expr>& shape(ValueId v) { return *graph().values[v].shape; }
  Expr constant(std::int64_t value) { return exprs().constant(value); }
  Expr directions() { return constant(r_.directions); }
  Expr rows() { return exprs().mul(constant(r_.gates), hidden_); }
  bool keeps_biases() const { return r_.linear_before_reset && node_->has_input(3); }

  ValueId new_value(std::string_view what, DType dtype, std::vector<Expr> dims) {
    Value value;
    const std::string base = fmt::format("{}_{}", graph().values[node_->outputs[0]].name, what);
    value.name = base;
    for (int i = 1; !names_.insert(value.name).second; ++i)
      value.name = fmt::format("{}_{}", base, i);
    value.dtype = dtype;
    value.shape = std::move(dims);
    return graph().add_value(std::move(value));
  }
  ValueId shape_operand(const std::vector<Expr>& dims) {
    const ValueId v =
        new_value("shape", DType::int64, {constant(static_cast<std::int64_t>(dims.size()))});
    graph().values[v].content = dims;
    return v;
  }

  Node made(Op op, std::vector<ValueId> inputs) {
    Node made;
    made.op = op;
    made.op_type = op_info(op).name;
    made.name = node_->name;
    made.inputs = std::move(inputs);
    return made;
  }
  ValueId add(Node added, std::string_view what, std::vector<Expr> dims) {
    const DType dtype = graph().values[node_->inputs[0]].dtype;
    added.outputs = {new_value(what, dtype, std::move(dims))};
    const ValueId out = added.outputs[0];
    graph().add_node(std::move(added));
    return out;
  }
  ValueId reshape(ValueId from, std::string_view what, const std::vector<Expr>& dims) {
    return add(made(Op::Reshape, {from, shape_operand(dims)}), what, dims);
  }
  ValueId transpose(ValueId from, std::string_view what, std::vector<std::int64_t> order) {
    std::vector<Expr> dims;
    dims.reserve(order.size());
    for (const std::int64_t axis : order)
      dims.push_back(shape(from)[static_cast<std::size_t>(axis)]);
    Node node = made(Op::Transpose, {from});
    node.attributes.push_back({"perm", std::move(order)});
    return add(std::move(node), what, std::move(dims));
  }

  ValueId projected(Expr input) {
    ValueId x = node_->inputs[0];
    if (r_.batch_first) x = transpose(x, "by_time", {1, 0, 2});
    const Expr places = exprs().mul(time_, batch_);
    x = reshape(x, "places", {places, input});
    const ValueId w = transpose(node_->inputs[1], "weights", {0, 2, 1});
    const std::vector<Expr> dims{directions(), places, rows()};
    ValueId sums = add(made(Op::MatMul, {x, w}), "products", dims);
    if (node_->has_input(3)) {
      Node halves = made(Op::Split, {node_->inputs[3]});
      halves.attributes = {{"axis", std::int64_t{1}}, {"num_outputs", std::int64_t{2}}};
      const DType dtype = graph().values[node_->inputs[3]].dtype;
      halves.outputs = {new_value("input_biases", dtype, {directions(), rows()}),
                        new_value("state_biases", dtype, {directions(), rows()})};
      const std::vector<ValueId> parts = halves.outputs;
      graph().add_node(std::move(halves));
      for (const ValueId part : std::span(parts).first(keeps_biases() ? 1 : 2)) {
        const ValueId biases = reshape(part, "biases", {directions(), constant(1), rows()});
        sums = add(made(Op::Add, {sums, biases}), "biased", dims);
      }
    }
    return reshape(sums, "projected", {directions(), time_, batch_, rows()});
  }

  ValueId zeros() {
    const std::vector<Expr> dims{directions(), batch_, hidden_};
    Node fill = made(Op::ConstantOfShape, {shape_operand(dims)});
    return add(std::move(fill), "zeros", dims);
  }
  ValueId join(const std::vector<ValueId>& parts) {
    Node node = made(Op::Concat, parts);
    node.attributes.push_back({"axis", std::int64_t{0}});
    const Expr count = constant(r_.directions * static_cast<std::int64_t>(parts.size()));
    return add(std::move(node), "first_states", {count, batch_, hidden_});
  }

  void first_states(Node& node) {
    ValueId h = node.inputs[5], c = node.inputs[6];
    if (r_.batch_first) {
      if (h != kNone) h = transpose(h, "first_hidden", {1, 0, 2});
      if (c != kNone) c = transpose(c, "first_cell", {1, 0, 2});
    }
    const auto size = exprs().value(hidden_);
    std::size_t bound = node.outputs.size();
    for (const ValueId input : node.inputs) bound += input != kNone ? 1 : 0;
    if (!size || *size > kMaxWorkgroupState) {
      const ValueId nothing = zeros();
      const auto or_zeros = [&](ValueId v) { return v == kNone ? nothing : v; };
      h = join({or_zeros(h), nothing, or_zeros(c)});
      c = kNone;
    } else if (bound > kMaxStorageBindings && h != kNone && c != kNone) {
      h = join({h, c});
      c = kNone;
    }
    node.inputs[5] = h;
    node.inputs[6] = c;
  }

  Model& model_;
  std::set<std::string> names_;
  const Node* node_ = nullptr;
  Recurrence r_;
  Expr hidden_, time_, batch_;
};

}  // namespace

void split_recurrences(Model& model) {
  Graph& graph = model.main();
  const auto is_whole = [](const Node& node) {
    return is_recurrence(node.op) && node.has_input(1);
  };
  if (std::ranges::none_of(graph.nodes, is_whole)) return;
  const std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  Splitter splitter(model);
  for (const Node& node : nodes) {
    if (is_whole(node)) {
      splitter.split(node);
    } else {
      graph.add_node(node);
    }
  }
}

}  // namespace subbyte
