// Attention as exporters write it scales queries and keys before their product, by the root of the
// factor each: two kernels that a scale behind the product does not take.
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "graph/ops.h"
#include "passes/canonicalize_rules.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

class Scales {
 public:
  explicit Scales(Model& model)
      : graph_(model.main()), make_(model.exprs, graph_), uses_(find_uses(graph_)) {
    for (const Value& value : graph_.values) stored_.push_back(value.constant.has_value());
    for (const Node& node : graph_.nodes)
      if (is_view(node)) stored_[node.outputs[0]] = stored_[node.inputs[0]];
  }

  void run() {
    std::vector<bool> keep(graph_.nodes.size(), true);
    // From the last node, since what is changed stands before its product.
    std::vector<std::vector<NodeId>> behind(graph_.nodes.size());
    bool any = false;
    for (auto n = static_cast<NodeId>(graph_.nodes.size()); n-- > 0;) {
      if (!is_product(graph_.nodes[n])) continue;
      for (const std::size_t operand : {std::size_t{0}, std::size_t{1}})
        take_scales(n, operand, behind[n]);
      for (const NodeId scale : behind[n]) {
        keep[scale] = false;
        graph_.values[graph_.nodes[scale].outputs[0]].producer = kNone;
      }
      any = any || !behind[n].empty();
    }
    if (!any) return;
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (NodeId n = 0; n < nodes.size(); ++n) {
      if (!keep[n]) continue;
      Node& node = nodes[n];
      const ValueId result = node.outputs[0];
      ValueId scaled = result;
      if (!behind[n].empty()) scaled = node.outputs[0] = new_value(node, result);
      graph_.add_node(std::move(node));
      for (const NodeId s : behind[n]) {
        Node scale = nodes[s];
        scale.inputs[*scaled_input(scale)] = scaled;
        scaled = scale.outputs[0] = s == behind[n].back() ? result : new_value(scale, result);
        graph_.add_node(std::move(scale));
      }
    }
  }

 private:
  // Of two values that a run computes.
  bool is_product(const Node& node) const {
    return node.op == Op::MatMul && node.attributes.empty() && !stored_[node.inputs[0]] &&
           !stored_[node.inputs[1]];
  }

  static bool is_view(const Node& node) {
    return family_of(node.op).role == Role::view && node.outputs.size() == 1;
  }

  // Which input of a product or quotient with one number, of no further axes, is the data.
  std::optional<std::size_t> scaled_input(const Node& node) const {
    if (node.op != Op::Mul && node.op != Op::Div) return std::nullopt;
    for (const std::size_t data : {std::size_t{0}, std::size_t{1}}) {
      if (node.op == Op::Div && data != 0) break;
      const Tensor* const number = graph_.constant(node.inputs[1 - data]);
      const Value& value = graph_.values[node.inputs[data]];
      if (number == nullptr || number->elements() != 1 || !is_float(number->dtype) ||
          value.constant || !value.shape || value.shape->size() < number->dims.size())
        continue;
      float factor = 0;
      read_floats(*number, 0, 1, &factor);
      if (std::isnormal(factor)) return data;
    }
    return std::nullopt;
  }

  // Removes the scales on the way to an operand, through views, and lists them, those of the
  // product last. Nothing else may read what lies on the way.
  void take_scales(NodeId product, std::size_t operand, std::vector<NodeId>& scales) {
    NodeId reader = product;
    std::size_t input = operand;
    std::vector<NodeId> found;
    while (true) {
      const ValueId v = graph_.nodes[reader].inputs[input];
      const NodeId producer = graph_.values[v].producer;
      if (producer == kNone || uses_.count(v) != 1) break;
      const Node& node = graph_.nodes[producer];
      if (const auto data = scaled_input(node)) {
        found.push_back(producer);
        graph_.nodes[reader].inputs[input] = node.inputs[*data];
        continue;
      }
      if (!is_view(node)) break;
      reader = producer;
      input = 0;
    }
    scales.insert(scales.end(), found.rbegin(), found.rend());
  }

  ValueId new_value(const Node& node, ValueId like) {
    const ValueId value = make_.add_value(node, "unscaled");
    graph_.values[value].dtype = graph_.values[like].dtype;
    graph_.values[value].shape = graph_.values[like].shape;
    return value;
  }

  Graph& graph_;
  ConstantMaker make_;
  Uses uses_;
  std::vector<bool> stored_;  // by value: a constant, or a view of one
};

}  // namespace

Expected<void> scale_products(Model& model) {
  if (model.graphs.size() > 1) return {};  // graphs inside nodes may read any value
  Scales(model).run();
  return {};
}

}  // namespace subbyte
