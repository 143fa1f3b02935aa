// Sizes that only the GPU can compute (the greatest of some lengths, say) are read back where they
// are known, and are symbols from there on (Op::ReadBack).
#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>

#include "graph/families.h"
#include "graph/infer.h"
#include "graph/node_form.h"
#include "graph/ops.h"
#include "passes/canonicalize_rules.h"
#include "passes/passes.h"
#include "reference/element.h"

namespace subbyte {
namespace {

// Operands that say how large something is have few elements.
constexpr std::int64_t kMostSizes = 32;
// What computes an operand from sizes is looked through so far.
constexpr int kDeepest = 64;

// Operators of float32 and of integers that a GPU rounds as a CPU does: what moves elements, and
// arithmetic of one operation. Quotients are among them where they are marked (kRoundedQuotient).
bool is_rounded_once(const Graph& graph, const Node& node) {
  const DType result = graph.values[node.outputs[0]].dtype;
  if (result != DType::float32 && result != DType::boolean && !is_integer(result)) return false;
  switch (node.op) {
    case Op::Abs:
    case Op::Add:
    case Op::Cast:
    case Op::Ceil:
    case Op::Concat:
    case Op::Div:
    case Op::Equal:
    case Op::Flatten:
    case Op::Floor:
    case Op::Gather:
    case Op::Greater:
    case Op::GreaterOrEqual:
    case Op::Identity:
    case Op::Less:
    case Op::LessOrEqual:
    case Op::Max:
    case Op::Min:
    case Op::Mul:
    case Op::Neg:
    case Op::Reciprocal:
    case Op::ReduceMax:
    case Op::ReduceMin:
    case Op::Reshape:
    case Op::Round:
    case Op::Slice:
    case Op::Squeeze:
    case Op::Sub:
    case Op::Transpose:
    case Op::Unsqueeze:
    case Op::Where:
      return true;
    case Op::Range:
      return is_integer(result);
    default:
      return false;
  }
}

// Operators whose result is known element by element where that of their inputs is.
bool follows_sizes(const Graph& graph, const Node& node) {
  switch (node.op) {
    case Op::Cast:
      return !is_float(graph.values[node.inputs[0]].dtype);
    case Op::Clip:
    case Op::Concat:
    case Op::Expand:
    case Op::Flatten:
    case Op::Gather:
    case Op::Identity:
    case Op::Merge:
    case Op::ReduceMax:
    case Op::ReduceMin:
    case Op::ReduceProd:
    case Op::ReduceSum:
    case Op::Reshape:
    case Op::Slice:
    case Op::Squeeze:
    case Op::Unsqueeze:
      return true;
    case Op::Pow:
    case Op::PRelu:
    case Op::Unknown:
      return false;
    default:
      return family_of(node.op).role == Role::scalar && op_info(node.op).inputs_min > 1;
  }
}

// Operands that name axes are no sizes: they must be constants.
bool is_size(const Node& node, std::size_t operand) {
  if (node.op == Op::Unknown) return false;
  const ShapeRule rule = op_info(node.op).infer;
  switch (rule) {
    case ShapeRule::cumulative:
    case ShapeRule::reduce:
    case ShapeRule::squeeze:
    case ShapeRule::unsqueeze:
      return false;
    case ShapeRule::pad:
    case ShapeRule::slice:
      return operand != 3 && rule_info(rule).shaping.contains(operand);
    default:
      return rule_info(rule).shaping.contains(operand);
  }
}

class SizeReader {
 public:
  explicit SizeReader(Model& model)
      : model_(model), graph_(model.main()), constants_(model.exprs, graph_) {
    read_.assign(graph_.values.size(), kNone);
  }

  // True where something is read back that was not before.
  bool run() {
    const auto count = static_cast<NodeId>(graph_.nodes.size());
    for (NodeId n = 0; n < count; ++n) {
      if (!waits(graph_.nodes[n])) continue;
      for (std::size_t i = 0; i < graph_.nodes[n].inputs.size(); ++i)
        if (is_size(graph_.nodes[n], i)) settle(n, i, 0);
    }
    if (added_.empty()) return false;
    place();
    return true;
  }

 private:
  // Whether its shape is not known, and that of what it is computed from is.
  bool waits(const Node& node) const {
    if (node.op == Op::Unknown) return false;
    if (node.op == Op::Enter) return !graph_.values[node.outputs.back()].content;
    const bool is_known = std::ranges::all_of(
        node.outputs, [&](ValueId v) { return v == kNone || graph_.values[v].shape.has_value(); });
    return !is_known && std::ranges::all_of(node.inputs, [&](ValueId v) {
      return v == kNone || graph_.values[v].shape.has_value();
    });
  }

  bool is_known(ValueId v) const {
    return v == kNone || graph_.values[v].content || graph_.values[v].constant;
  }

  bool may_be_read(ValueId v) const {
    const Value& value = graph_.values[v];
    const bool has_words =
        value.dtype == DType::boolean ||
        (is_integer(value.dtype) && value.dtype != DType::uint32 && value.dtype != DType::uint64);
    if (!has_words || value.constant || value.content || !value.shape) return false;
    std::int64_t elements = 1;
    for (const Expr e : *value.shape) {
      const auto size = model_.exprs.value(e);
      if (!size || *size < 0 || *size > kMostSizes) return false;
      elements *= *size;
      if (elements > kMostSizes) return false;
    }
    return elements > 0 && is_certain(v);
  }

  // The nodes that it is computed by from data and from what is known.
  struct Origin {
    std::vector<NodeId> nodes;
    bool has_data = false;
  };
  Origin origin_of(ValueId v) const {
    Origin origin;
    std::vector<ValueId> work{v};
    std::unordered_set<ValueId> seen{v};
    std::unordered_set<NodeId> met;
    while (!work.empty()) {
      const Value& value = graph_.values[work.back()];
      work.pop_back();
      if (value.constant || value.content) continue;
      if (value.producer == kNone) {
        origin.has_data = true;
        continue;
      }
      if (met.insert(value.producer).second) origin.nodes.push_back(value.producer);
      for (const ValueId input : graph_.nodes[value.producer].inputs)
        if (input != kNone && seen.insert(input).second) work.push_back(input);
    }
    return origin;
  }

  // Whether it is computed from data, or from sizes alone by what a GPU rounds as a CPU does: other
  // arithmetic of floats on sizes that expressions do not follow may end in another whole number.
  // A sum of a product may be rounded once where a CPU rounds twice.
  bool is_certain(ValueId v) const {
    const Origin origin = origin_of(v);
    if (origin.has_data) return true;
    bool adds = false, multiplies = false;
    for (const NodeId n : origin.nodes) {
      const Node& node = graph_.nodes[n];
      if (!is_rounded_once(graph_, node)) return false;
      if (graph_.values[node.outputs[0]].dtype != DType::float32) continue;
      adds |= node.op == Op::Add || node.op == Op::Sub;
      multiplies |= node.op == Op::Mul;
    }
    return !(adds && multiplies);
  }

  // Quotients that it is computed by from sizes alone are rounded as a CPU does.
  void round_quotients(ValueId v) {
    const Origin origin = origin_of(v);
    if (origin.has_data) return;
    for (const NodeId n : origin.nodes) {
      if (graph_.values[graph_.nodes[n].outputs[0]].dtype != DType::float32) continue;
      if (graph_.nodes[n].op == Op::Reciprocal) {
        const ValueId one =
            constants_.add(graph_.nodes[n], "one", reference::scalar_from(DType::float32, 1));
        graph_.nodes[n].op = Op::Div;
        graph_.nodes[n].op_type = std::string(op_info(Op::Div).name);
        graph_.nodes[n].inputs.insert(graph_.nodes[n].inputs.begin(), one);
      }
      if (graph_.nodes[n].op == Op::Div)
        set_attribute(graph_.nodes[n], kRoundedQuotient, std::int64_t{1});
    }
  }

  // Makes input i of a node known: by what it is computed from, where that is sizes in turn.
  bool settle(NodeId n, std::size_t i, int depth) {
    const ValueId v = graph_.nodes[n].inputs[i];
    if (is_known(v)) return true;
    if (!may_be_read(v)) return false;
    const NodeId producer = graph_.values[v].producer;
    if (producer != kNone && depth < kDeepest && follows_sizes(graph_, graph_.nodes[producer])) {
      const std::vector<ValueId> inputs = graph_.nodes[producer].inputs;
      // Where all of them are known, and it is not, it is no arithmetic of sizes.
      bool is_settled =
          std::ranges::any_of(inputs, [&](ValueId input) { return !is_known(input); }) &&
          std::ranges::all_of(inputs,
                              [&](ValueId input) { return is_known(input) || may_be_read(input); });
      for (std::size_t k = 0; is_settled && k < inputs.size(); ++k)
        is_settled = settle(producer, k, depth + 1);
      if (is_settled) return true;
    }
    graph_.nodes[n].inputs[i] = read_back(v);
    return true;
  }

  ValueId read_back(ValueId v) {
    if (read_[v] != kNone) return read_[v];
    round_quotients(v);
    Node node{.op = Op::ReadBack,
              .op_type = std::string(op_info(Op::ReadBack).name),
              .domain = std::string(op_info(Op::ReadBack).domain),
              .inputs = {v}};
    const NodeId producer = graph_.values[v].producer;
    if (producer != kNone) node.name = graph_.nodes[producer].name;
    for (const char* what : {"found", "size"}) {
      std::string name = fmt::format("{}({})", what, graph_.values[v].name);
      while (std::ranges::find(graph_.values, name, &Value::name) != graph_.values.end())
        name += '_';
      node.outputs.push_back(graph_.add_value({.name = std::move(name)}));
    }
    read_.resize(graph_.values.size(), kNone);
    read_[v] = node.outputs[1];
    const ValueId size = node.outputs[1];
    added_.push_back(std::move(node));
    return size;
  }

  // Each as soon as what it reads is computed.
  void place() {
    std::vector<std::vector<Node>> after(graph_.nodes.size() + 1);
    for (Node& node : added_) {
      const NodeId producer = graph_.values[node.inputs[0]].producer;
      after[producer == kNone ? 0 : producer + 1].push_back(std::move(node));
    }
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (std::size_t n = 0; n <= nodes.size(); ++n) {
      for (Node& node : after[n]) graph_.add_node(std::move(node));
      if (n < nodes.size()) graph_.add_node(std::move(nodes[n]));
    }
  }

  Model& model_;
  Graph& graph_;
  ConstantMaker constants_;
  std::vector<ValueId> read_;  // by value: the same as sizes
  std::vector<Node> added_;
};

}  // namespace

Expected<void> read_back_sizes(Model& model) {
  SUBBYTE_TRY(const bool any, size_by_integers(model));
  if (any) SUBBYTE_CHECK_OK(infer(model));
  // What becomes known lets others be computed.
  while (SizeReader(model).run()) {
    SUBBYTE_CHECK_OK(infer(model));
    SUBBYTE_CHECK_OK(canonicalize_known(model));
    SUBBYTE_CHECK_OK(fold_constants(model));
  }
  return {};
}

}  // namespace subbyte
