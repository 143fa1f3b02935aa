#include <algorithm>
#include <optional>

#include "graph/ops.h"
#include "passes/canonicalize_rules.h"
#include "passes/compact.h"
#include "passes/keep_small.h"

namespace subbyte {
namespace {

// Transposes between a weight and what reads it; a graph made to be long must not make walks slow.
constexpr int kMostTransposes = 4;

class LowRank {
 public:
  explicit LowRank(Model& model)
      : graph_(model.main()), make_(model.exprs, graph_), uses_(find_uses(graph_)) {}

  void run() {
    std::vector<Node> nodes;
    bool any = false;
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      Node node = graph_.nodes[n];
      if (const auto factors = factors_in(node)) {
        take_apart(node, *factors, nodes);
        any = true;
      }
      nodes.push_back(std::move(node));
    }
    if (any) replace(std::move(nodes));
  }

 private:
  // A weight that is left times right, or the transpose of that.
  struct Factors {
    ValueId product = kNone, left = kNone, right = kNone;
    bool transposed = false;
    std::size_t operand = 1;  // of the product that reads it
  };

  static bool is_transpose(const Node& node) {
    const auto perm = node.op == Op::Transpose ? node.ints("perm") : std::nullopt;
    return perm && perm->size() == 2 && perm->front() == 1;
  }

  bool is_matrix(ValueId v) const {
    const Tensor* const tensor = graph_.constant(v);
    return tensor != nullptr && tensor->dims.size() == 2;
  }

  // Whether a product multiplies what a run computes by a matrix in that operand.
  bool multiplies_by(const Node& node, std::size_t operand) const {
    if (node.op == Op::Gemm) return operand == 1 && node.int_or("transA", 0) == 0;
    return node.op == Op::MatMul && operand < 2;
  }

  // The product of two constants that a value is, or its transpose.
  std::optional<Factors> factors_of(ValueId v) const {
    Factors factors;
    for (int steps = 0; steps <= kMostTransposes; ++steps) {
      const NodeId producer = graph_.values[v].producer;
      if (producer == kNone) return std::nullopt;
      const Node& node = graph_.nodes[producer];
      if (is_transpose(node)) {
        factors.transposed = !factors.transposed;
        v = node.inputs[0];
        continue;
      }
      if (node.op != Op::MatMul || !is_matrix(node.inputs[0]) || !is_matrix(node.inputs[1]))
        return std::nullopt;
      factors.product = v;
      factors.left = node.inputs[0];
      factors.right = node.inputs[1];
      return factors;
    }
    return std::nullopt;
  }

  // Whether nothing reads the value but products with what a run computes, through transposes too.
  bool is_read_by_products(ValueId v, int depth = 0) const {
    if (uses_.outputs[v] > 0 || depth > kMostTransposes) return false;
    return std::ranges::all_of(uses_.readers[v], [&](NodeId n) {
      const Node& reader = graph_.nodes[n];
      if (is_transpose(reader)) return is_read_by_products(reader.outputs[0], depth + 1);
      const auto operand =
          static_cast<std::size_t>(std::ranges::find(reader.inputs, v) - reader.inputs.begin());
      if (!multiplies_by(reader, operand)) return false;
      const ValueId data = reader.inputs[1 - operand];
      return graph_.constant(data) == nullptr && !factors_of(data);
    });
  }

  std::optional<Factors> factors_in(const Node& node) const {
    for (const std::size_t operand : {std::size_t{1}, std::size_t{0}}) {
      if (!multiplies_by(node, operand)) continue;
      auto factors = factors_of(node.inputs[operand]);
      if (!factors || !is_read_by_products(factors->product)) continue;
      factors->operand = operand;
      const Tensor &a = *graph_.constant(factors->left), &b = *graph_.constant(factors->right);
      if (a.elements() + b.elements() < a.dims[0] * b.dims[1]) return factors;
    }
    return std::nullopt;
  }

  ValueId transposed(const Node& node, ValueId matrix, std::vector<Node>& nodes) {
    Node view;
    view.op = Op::Transpose;
    view.op_type = "Transpose";
    view.inputs = {matrix};
    view.outputs = {make_.add_value(node, "factor")};
    view.attributes = {Attribute{"perm", std::vector<std::int64_t>{1, 0}}};
    graph_.values[view.outputs[0]].dtype = graph_.values[matrix].dtype;
    nodes.push_back(std::move(view));
    return nodes.back().outputs[0];
  }

  // Puts the product with the factor that stands next to the data before `node`, which multiplies
  // by the other.
  void take_apart(Node& node, const Factors& factors, std::vector<Node>& nodes) {
    const bool right = factors.operand == 1;
    bool turned = factors.transposed;
    if (node.op == Op::Gemm && node.int_or("transB", 0) != 0) {
      turned = !turned;
      set_attribute(node, "transB", std::int64_t{0});
    }
    // (A B)^T = B^T A^T
    ValueId first = turned ? factors.right : factors.left;
    ValueId second = turned ? factors.left : factors.right;
    if (turned) {
      first = transposed(node, first, nodes);
      second = transposed(node, second, nodes);
    }
    Node inner;
    inner.op = Op::MatMul;
    inner.op_type = "MatMul";
    const ValueId data = node.inputs[1 - factors.operand];
    inner.inputs = right ? std::vector<ValueId>{data, first} : std::vector<ValueId>{second, data};
    inner.outputs = {make_.add_value(node, "low_rank")};
    graph_.values[inner.outputs[0]].dtype = graph_.values[node.outputs[0]].dtype;
    node.inputs[1 - factors.operand] = inner.outputs[0];
    node.inputs[factors.operand] = right ? second : first;
    nodes.push_back(std::move(inner));
  }

  // The products of constants that nothing reads any more go.
  void replace(std::vector<Node> nodes) {
    graph_.nodes = std::move(nodes);
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      for (const ValueId output : graph_.nodes[n].outputs)
        if (output != kNone) graph_.values[output].producer = n;
    }
    std::vector<bool> keep_nodes(graph_.nodes.size(), true);
    std::vector<bool> keep_values(graph_.values.size(), true);
    Uses uses = find_uses(graph_);
    for (std::size_t n = graph_.nodes.size(); n-- > 0;) {
      const Node& node = graph_.nodes[n];
      if (node.outputs.empty() || uses.count(node.outputs[0]) > 0 || !factors_of(node.outputs[0]))
        continue;
      keep_nodes[n] = keep_values[node.outputs[0]] = false;
      for (const ValueId input : node.inputs)
        std::erase(uses.readers[input], static_cast<NodeId>(n));
    }
    compact(graph_, keep_nodes, keep_values);
  }

  Graph& graph_;
  ConstantMaker make_;
  Uses uses_;
};

}  // namespace

void keep_low_rank(Model& model) { LowRank(model).run(); }

}  // namespace subbyte
