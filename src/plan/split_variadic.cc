#include "plan/split_variadic.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "graph/infer.h"
#include "graph/ops.h"
#include "reference/element.h"

namespace subbyte {

namespace {

class Splitter {
 public:
  explicit Splitter(Graph& graph) : graph_(graph) {
    for (const Value& value : graph_.values) names_.insert(value.name);
  }

  void split(Node node) {
    const ValueId output = node.outputs[0];
    const bool mean = node.op == Op::Mean;
    const std::size_t count = node.inputs.size();
    const std::vector<ValueId> inputs = std::move(node.inputs);
    if (mean) set_operator(node, Op::Sum);
    part_ = 0;
    ValueId sum = inputs.front();
    for (std::size_t next = 1; next < count;) {
      const std::size_t end = std::min(next + kMaxVariadicInputs - 1, count);
      node.inputs.assign(1, sum);
      node.inputs.insert(node.inputs.end(), inputs.begin() + static_cast<std::ptrdiff_t>(next),
                         inputs.begin() + static_cast<std::ptrdiff_t>(end));
      next = end;
      sum = next == count && !mean ? output : new_value(output);
      node.outputs.assign(1, sum);
      graph_.add_node(node);
    }
    if (!mean) return;
    set_operator(node, Op::Div);
    const ValueId divisor = new_value(output);
    graph_.values[divisor].constant =
        reference::scalar_from(graph_.values[output].dtype, static_cast<double>(count));
    node.inputs = {sum, divisor};
    node.outputs = {output};
    graph_.add_node(std::move(node));
  }

 private:
  static void set_operator(Node& node, Op op) {
    node.op = op;
    node.op_type = op_info(op).name;
  }

  ValueId new_value(ValueId like) {
    Value value;
    do {
      value.name = fmt::format("{}_part{}", graph_.values[like].name, part_++);
    } while (!names_.insert(value.name).second);
    value.dtype = graph_.values[like].dtype;
    value.shape = std::vector<Expr>{};  // of the constant; inference sets the others
    return graph_.add_value(std::move(value));
  }

  Graph& graph_;
  std::set<std::string> names_;
  int part_ = 0;  // of the node that is split
};

bool is_long(const Node& node) {
  return family_of(node.op).role == Role::scalar && node.inputs.size() > kMaxVariadicInputs;
}

}  // namespace

Expected<void> split_variadic(Model& model) {
  Graph& graph = model.main();
  if (std::none_of(graph.nodes.begin(), graph.nodes.end(), is_long)) return {};
  const std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  Splitter splitter(graph);
  for (const Node& node : nodes) {
    if (is_long(node)) {
      splitter.split(node);
    } else {
      graph.add_node(node);
    }
  }
  return infer(model);
}

}  // namespace subbyte
