// Matrix products: MatMul and Gemm, with packed weights or with activations on the right.
#include "graph/ops.h"
#include "plan/product.h"

namespace subbyte {

namespace {

// The operands seen as [batch..., M, K] and [batch..., N, K].
struct Operands {
  std::vector<ViewStep> a_path, b_path;
};

ViewStep transposed(std::size_t rank) {
  ViewStep step = permuted({});
  for (std::size_t i = 0; i < rank; ++i) step.permutation.push_back(static_cast<std::int64_t>(i));
  std::swap(step.permutation[rank - 1], step.permutation[rank - 2]);
  return step;
}

Operands gemm_product(Lowering& lowering, const Node& node, Product& p) {
  const auto& a = lowering.shape(node.inputs[0]);
  const auto& b = lowering.shape(node.inputs[1]);
  const bool a_transposed = node.int_or("transA", 0) != 0,
             b_transposed = node.int_or("transB", 0) != 0;
  Operands operands;
  p.batches = lowering.exprs().constant(1);
  p.rows = a[a_transposed ? 1 : 0];
  p.depth = a[a_transposed ? 0 : 1];
  p.cols = b[b_transposed ? 0 : 1];
  if (a_transposed) operands.a_path.push_back(transposed(2));
  if (!b_transposed) operands.b_path.push_back(transposed(2));
  p.alpha = node.float_or("alpha", 1);
  p.beta = node.float_or("beta", 1);
  if (node.has_input(2)) {
    p.addend = node.inputs[2];
    p.addend_path.push_back(expanded(lowering.shape(node.outputs[0])));
  }
  return operands;
}

// NumPy's matmul: axes before the last two broadcast; a vector is a matrix of one row or column.
Operands matmul_product(Lowering& lowering, const Node& node, Product& p) {
  ExprPool& exprs = lowering.exprs();
  std::vector<Expr> a = lowering.shape(node.inputs[0]), b = lowering.shape(node.inputs[1]);
  const std::vector<Expr> out = lowering.shape(node.outputs[0]);
  const bool a_vector = a.size() == 1, b_vector = b.size() == 1;
  Operands operands;
  if (a_vector) {
    a.insert(a.begin(), exprs.constant(1));
    operands.a_path.push_back(reshaped(a));
  }
  if (b_vector) {
    b.push_back(exprs.constant(1));
    operands.b_path.push_back(reshaped(b));
  }
  p.rows = a[a.size() - 2];
  p.depth = a.back();
  p.cols = b.back();
  std::vector<Expr> batch(out.begin(), out.end() - (a_vector ? 0 : 1) - (b_vector ? 0 : 1));
  if (b.size() == 2) {
    // One matrix for all: the batch axes of A are more rows.
    p.batches = exprs.constant(1);
    p.rows = exprs.mul(exprs.product(batch), p.rows);
    operands.b_path.push_back(transposed(2));
    return operands;
  }
  p.batches = exprs.product(batch);
  const auto with_batch = [&](Expr x, Expr y) {
    std::vector<Expr> shape = batch;
    shape.insert(shape.end(), {x, y});
    return expanded(std::move(shape));
  };
  operands.a_path.push_back(with_batch(p.rows, p.depth));
  operands.b_path.push_back(with_batch(p.depth, p.cols));
  operands.b_path.push_back(transposed(batch.size() + 2));
  return operands;
}

// The stored weight that is the right operand as it lies, [N, K]; nullopt where B is anything else.
std::optional<WeightId> stored_matrix(Lowering& lowering, ValueId b, std::vector<ViewStep> path) {
  const Graph& graph = lowering.graph();
  while (!graph.values[b].constant && graph.values[b].producer != kNone) {
    const Node& node = graph.nodes[graph.values[b].producer];
    if (family_of(node.op).role != Role::view || node.outputs[0] != b) return std::nullopt;
    auto longer = view_steps(lowering.model, lowering.graph(), node, 0);
    longer.insert(longer.end(), path.begin(), path.end());
    path = std::move(longer);
    b = node.inputs[0];
  }
  const auto it = lowering.placement.weights.find(b);
  if (it == lowering.placement.weights.end()) return std::nullopt;
  const StoredWeight& stored = lowering.plan.weights[it->second];
  if (std::holds_alternative<IntegerEncoding>(stored.encoding)) return std::nullopt;
  // One row of all elements is how vectors and unused shapes are stored.
  if (stored.order.rows.empty() || graph.values[b].constant->dims.size() != 2) return std::nullopt;
  ExprPool& exprs = lowering.exprs();
  Access access = contiguous(exprs, lowering.shape(b));
  const auto strides = contiguous_strides(exprs, lowering.shape(b));
  for (const auto& step : path) access = apply(exprs, access, step);
  const View& view = access.views.front();
  const auto row_axis = static_cast<std::size_t>(stored.order.rows[0]);
  const auto k_axis = static_cast<std::size_t>(stored.order.k[0]);
  const bool as_it_lies =
      access.views.size() == 1 && view.shape.size() == 2 && exprs.is(view.offset, 0) &&
      exprs.is(view.shape[0], stored.rows) && exprs.is(view.shape[1], stored.k) &&
      view.strides[0] == strides[row_axis] && view.strides[1] == strides[k_axis];
  if (!as_it_lies) return std::nullopt;
  return it->second;
}

}  // namespace

Expected<void> lower_matmul(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  Product p;
  const auto [a_path, b_path] =
      node.op == Op::Gemm ? gemm_product(lowering, node, p) : matmul_product(lowering, node, p);
  p.weight = stored_matrix(lowering, node.inputs[1], b_path);
  p.result = Frame{{{"b", p.batches}, {"m", p.rows}, {"n", p.cols}}};

  StepCode code(lowering.exprs(), lowering.plan);
  const Frame a_frame{{{"b", p.batches}, {"m", p.rows}, {"k", p.depth}}};
  SUBBYTE_CHECK_OK(
      declare_operand(lowering, code, node.inputs[0], a_frame, a_path, p.depth, "load_a"));
  if (!p.weight) {
    const Frame b_frame{{{"b", p.batches}, {"n", p.cols}, {"k", p.depth}}};
    SUBBYTE_CHECK_OK(
        declare_operand(lowering, code, node.inputs[1], b_frame, b_path, p.depth, "load_b"));
  }
  return add_product(lowering, kernel, code, p);
}

}  // namespace subbyte
