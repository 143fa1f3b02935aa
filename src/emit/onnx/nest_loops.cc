#include "emit/onnx/nest_loops.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "emit/onnx/nest_branches.h"
#include "graph/loops.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

// On a Loop while others are made: how many of its last inputs are what its body captures, so that
// whoever orders nodes sees what it reads.
constexpr std::string_view kCaptures = "captures";

// What is read back is what was computed.
void without_read_back(Graph& graph) {
  std::vector<Node> nodes = std::exchange(graph.nodes, {});
  std::vector<ValueId> computed(graph.values.size(), kNone);
  for (Node& node : nodes) {
    for (ValueId& input : node.inputs)
      if (input != kNone && computed[input] != kNone) input = computed[input];
    if (node.op != Op::ReadBack) {
      graph.add_node(std::move(node));
      continue;
    }
    for (const ValueId output : node.outputs) {
      if (output == kNone) continue;
      computed[output] = node.inputs[0];
      graph.values[output].producer = kNone;
    }
  }
}

// The bool that says what a condition is: what its Decide reads.
ValueId deciding(const Graph& graph, ValueId condition) {
  if (condition == kNone) return kNone;
  const NodeId producer = graph.values[condition].producer;
  const bool is_decided = producer != kNone && graph.nodes[producer].op == Op::Decide;
  return is_decided ? graph.nodes[producer].inputs[0] : condition;
}

// The body of one loop, made of the nodes of the graph around it.
class Body {
 public:
  Body(const Graph& flat, const Loop& loop)
      : flat_(flat),
        loop_(loop),
        enter_(flat.nodes[loop.enter]),
        leave_(flat.nodes[loop.leave]),
        moved_(flat.values.size(), kNone) {}

  Graph make() {
    const std::string base = flat_.values[enter_.outputs.back()].name;
    graph_.name = "body";
    const ValueId turn = move(enter_.outputs.back());
    const ValueId goes_on = graph_.add_value(
        {.name = base + "/goes_on", .dtype = DType::boolean, .shape = std::vector<Expr>{}});
    graph_.inputs = {turn, goes_on};
    for (std::size_t k = 0; k + 1 < enter_.outputs.size(); ++k)
      graph_.inputs.push_back(move(enter_.outputs[k]));
    for (NodeId n = loop_.enter + 1; n < loop_.leave; ++n) {
      if (!loop_.body[n]) continue;
      Node node = flat_.nodes[n];
      for (auto* list : {&node.inputs, &node.outputs})
        for (ValueId& v : *list)
          if (v != kNone) v = move(v);
      graph_.add_node(std::move(node));
    }
    const ValueId next = leave_.has_input(1) ? move(deciding(flat_, leave_.inputs[1])) : goes_on;
    give(next, base + "/goes_on_after");
    for (std::size_t i = kFirstNext; i < leave_.inputs.size(); ++i)
      give(move(leave_.inputs[i]), fmt::format("{}/{}", base, i - kFirstNext));
    return std::move(graph_);
  }

  // What of the graph around it reads; `captured` are the same values in the body.
  std::vector<ValueId> outer{}, captured{};

 private:
  ValueId move(ValueId v) {
    if (moved_[v] != kNone) return moved_[v];
    const Value& value = flat_.values[v];
    moved_[v] = graph_.add_value({.name = value.name, .dtype = value.dtype, .shape = value.shape});
    const NodeId producer = value.producer;
    const bool is_inside = producer != kNone && (producer == loop_.enter || loop_.body[producer]);
    if (!is_inside) {
      outer.push_back(v);
      captured.push_back(moved_[v]);
    }
    return moved_[v];
  }

  // An output must be computed in the body, and have a name of its own.
  void give(ValueId from, std::string name) {
    const Value& value = graph_.values[from];
    const ValueId out =
        graph_.add_value({.name = std::move(name), .dtype = value.dtype, .shape = value.shape});
    graph_.add_node(
        {.op = Op::Identity, .op_type = "Identity", .inputs = {from}, .outputs = {out}});
    graph_.outputs.push_back(out);
  }

  const Graph& flat_;
  const Loop& loop_;
  const Node &enter_, &leave_;
  std::vector<ValueId> moved_;
  Graph graph_;
};

// Makes a graph of the model with its branches in Ifs, and returns its number.
Expected<GraphId> add_body(Model& model, Graph body, const std::vector<ValueId>& captured) {
  // What is captured is there when the body begins, as inputs are.
  const std::size_t inputs = body.inputs.size();
  body.inputs.insert(body.inputs.end(), captured.begin(), captured.end());
  Graph main = std::exchange(model.main(), std::move(body));
  SUBBYTE_TRY(model, nest_branches(model));
  body = std::exchange(model.main(), std::move(main));
  body.inputs.resize(inputs);
  model.graphs.push_back(std::move(body));
  return static_cast<GraphId>(model.graphs.size() - 1);
}

// One loop in whose body there is no other.
Expected<void> nest_loop(Model& model, const Loop& loop) {
  Body body(model.main(), loop);
  Graph made = body.make();
  SUBBYTE_TRY(const GraphId id, add_body(model, std::move(made), body.captured));
  Graph& graph = model.main();
  const Node& enter = graph.nodes[loop.enter];
  Node node{.op_type = "Loop", .name = enter.name};
  node.inputs = {enter.inputs[0], deciding(graph, enter.inputs[1])};
  node.inputs.insert(node.inputs.end(), enter.inputs.begin() + kFirstState, enter.inputs.end());
  node.inputs.insert(node.inputs.end(), body.outer.begin(), body.outer.end());
  node.outputs = graph.nodes[loop.leave].outputs;
  node.attributes = {{"body", GraphRef{id}},
                     {std::string(kCaptures), static_cast<std::int64_t>(body.outer.size())}};
  std::vector<Node> nodes = std::exchange(graph.nodes, {});
  for (NodeId n = 0; n < nodes.size(); ++n) {
    if (n == loop.leave)
      graph.add_node(std::move(node));
    else if (n != loop.enter && !loop.body[n])
      graph.add_node(std::move(nodes[n]));
    else
      for (const ValueId output : nodes[n].outputs)
        if (output != kNone) graph.values[output].producer = kNone;
  }
  return {};
}

void drop_captures(Graph& graph) {
  for (Node& node : graph.nodes) {
    const auto count = static_cast<std::size_t>(node.int_or(kCaptures, 0));
    if (node.find(kCaptures) == nullptr) continue;
    node.inputs.resize(node.inputs.size() - count);
    std::erase_if(node.attributes, [](const Attribute& a) { return a.name == kCaptures; });
  }
}

}  // namespace

Expected<Model> nest_control_flow(const Model& model) {
  Model nested = model;
  without_read_back(nested.main());
  for (auto loops = find_loops(nested.main()); !loops.empty(); loops = find_loops(nested.main()))
    SUBBYTE_CHECK_OK(nest_loop(nested, loops.back()));
  SUBBYTE_TRY(nested, nest_branches(nested));
  for (Graph& graph : nested.graphs) drop_captures(graph);
  return nested;
}

}  // namespace subbyte
