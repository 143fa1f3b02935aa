// Matrix products: MatMul and Gemm, with packed weights or with activations on the right.
#include "graph/ops.h"
#include "plan/product.h"
#include "plan/weight_code.h"

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
// `left`: A is a weight, which has no batch axes as rows.
Operands matmul_product(Lowering& lowering, const Node& node, bool left, Product& p) {
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
  if (b.size() == 2 && !left) {
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

// The constant that an operand is a view of, and the path to the operand; kNone where it is
// computed.
ValueId constant_behind(Lowering& lowering, ValueId b, std::vector<ViewStep>& path) {
  const Graph& graph = lowering.graph();
  while (!graph.values[b].constant && graph.values[b].producer != kNone) {
    const Node& node = graph.nodes[graph.values[b].producer];
    if (!is_view(node.op) || node.outputs[0] != b) return kNone;
    auto longer = view_steps(lowering.model, lowering.graph(), node, 0);
    longer.insert(longer.end(), path.begin(), path.end());
    path = std::move(longer);
    b = node.inputs[0];
  }
  return graph.values[b].constant ? b : kNone;
}

// Which of several matrices each batch multiplies with: (b / repeats) % count.
struct Matrices {
  std::int64_t count = 1;
  Expr repeats;
};

// `view` is [batch..., N, K] of a weight whose axes before the last two have these sizes and
// strides, outermost first. They lie as the innermost batch axes do, but for axes over which they
// repeat; nullopt where they do not.
std::optional<Matrices> matrices_of(ExprPool& exprs, const View& view, std::span<const Expr> sizes,
                                    std::span<const Expr> strides) {
  Matrices found{1, exprs.constant(1)};
  std::size_t axis = sizes.size();
  bool begun = false, ended = false;
  for (std::size_t i = view.shape.size() - 2; i-- > 0;) {
    while (axis > 0 && exprs.is(sizes[axis - 1], 1)) --axis;
    if (exprs.is(view.shape[i], 1)) continue;
    const bool repeats = exprs.is(view.strides[i], 0);
    if (repeats) {
      if (begun) ended = true;
      if (!begun) found.repeats = exprs.mul(found.repeats, view.shape[i]);
      continue;
    }
    if (ended || axis == 0 || view.shape[i] != sizes[axis - 1] ||
        view.strides[i] != strides[axis - 1])
      return std::nullopt;
    begun = true;
    found.count *= exprs.value(sizes[--axis]).value_or(0);
  }
  while (axis > 0 && exprs.is(sizes[axis - 1], 1)) --axis;
  return axis == 0 && found.count > 0 ? std::optional(found) : std::nullopt;
}

// Which row of a matrix an offset is; nullopt where it is not known.
std::optional<std::int64_t> first_row_of(const ExprPool& exprs, Expr offset, Expr row_stride) {
  const auto elements = exprs.value(offset), stride = exprs.value(row_stride);
  if (!elements || !stride || *stride < 1 || *elements % *stride != 0) return std::nullopt;
  return *elements / *stride;
}

// Takes a stored weight as the right operand, where its rows lie as [batch..., N, K] asks for.
bool take_stored(Lowering& lowering, ValueId constant, const std::vector<ViewStep>& path,
                 Product& p) {
  const auto it = lowering.placement.weights.find(constant);
  if (it == lowering.placement.weights.end()) return false;
  const StoredWeight& stored = lowering.plan.weights[it->second];
  if (std::holds_alternative<IntegerEncoding>(stored.encoding)) return false;
  // One row of all elements is how vectors and unused shapes are stored.
  const std::size_t rank = stored.order.rows.size() + stored.order.k.size();
  if (stored.order.rows.empty() || stored.order.k.size() != 1 || rank < 2) return false;
  for (std::size_t i = 0; i + 2 < rank; ++i) {
    if (stored.order.rows[i] != static_cast<int>(i)) return false;
  }
  ExprPool& exprs = lowering.exprs();
  const std::vector<Expr>& shape = lowering.shape(constant);
  Access access = contiguous(exprs, shape);
  const auto strides = contiguous_strides(exprs, shape);
  for (const auto& step : path) access = apply(exprs, access, step);
  const View& view = access.views.front();
  const std::size_t n = view.shape.size() - 2, k = view.shape.size() - 1;
  const auto row_axis = static_cast<std::size_t>(stored.order.rows.back());
  const auto k_axis = static_cast<std::size_t>(stored.order.k[0]);
  const bool as_it_lies = access.views.size() == 1 && view.shape.size() >= 2 &&
                          view.shape[k] == shape[k_axis] && view.strides[n] == strides[row_axis] &&
                          view.strides[k] == strides[k_axis];
  if (!as_it_lies) return false;
  // A matrix alone may be some of its rows.
  const bool whole = exprs.is(view.offset, 0) && view.shape[n] == shape[row_axis];
  const auto first_row = rank == 2 && !exceeds_binding(stored)
                             ? first_row_of(exprs, view.offset, strides[row_axis])
                             : std::nullopt;
  if (!whole && !first_row) return false;
  const auto matrices = matrices_of(exprs, view, std::span(shape).first(rank - 2),
                                    std::span(strides).first(rank - 2));
  if (!matrices) return false;
  p.weight = it->second;
  p.groups = matrices->count;
  p.first_row = whole ? 0 : *first_row;
  p.repeats = matrices->repeats;
  return true;
}

}  // namespace

Expected<void> lower_matmul(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  std::vector<ViewStep> ignored;
  ValueId a = node.inputs[0], b = node.inputs[1];
  const bool left = constant_behind(lowering, a, ignored) != kNone &&
                    constant_behind(lowering, b, ignored) == kNone;
  Product p;
  auto [a_path, b_path] = node.op == Op::Gemm ? gemm_product(lowering, node, p)
                                              : matmul_product(lowering, node, left, p);
  p.result = Frame{{{"b", p.batches}, {"m", p.rows}, {"n", p.cols}}};
  if (left) {
    // The transposed product, whose weight stands on the right.
    std::swap(a, b);
    std::swap(a_path, b_path);
    std::swap(p.rows, p.cols);
    p.result = Frame{{{"b", p.batches}, {"n", p.cols}, {"m", p.rows}}};
    p.rows_adjacent = true;
  }
  std::vector<ViewStep> from_constant = b_path;
  const ValueId constant = constant_behind(lowering, b, from_constant);
  if (constant != kNone && !take_stored(lowering, constant, from_constant, p))
    note_read_by_elements(lowering, kernel, constant);

  sum_integers(lowering, node, p);

  StepCode code(lowering.exprs(), lowering.plan);
  const Frame a_frame{{{"b", p.batches}, {"m", p.rows}, {"k", p.depth}}};
  SUBBYTE_CHECK_OK(declare_operand(lowering, code, a, a_frame, a_path, p.depth, "load_a"));
  if (!p.weight) {
    const Frame b_frame{{{"b", p.batches}, {"n", p.cols}, {"k", p.depth}}};
    SUBBYTE_CHECK_OK(declare_operand(lowering, code, b, b_frame, b_path, p.depth, "load_b"));
  }
  return add_product(lowering, kernel, code, p);
}

}  // namespace subbyte
