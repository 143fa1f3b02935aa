// Matrix products: MatMul and Gemm, with packed weights or with activations on the right.
#include <fmt/format.h>

#include <limits>

#include "plan/lowering.h"
#include "plan/weight_code.h"

namespace subbyte {

namespace {

// WebGPU's default maxStorageBufferBindingSize: a larger weight is bound in chunks of its rows.
constexpr std::int64_t kMaxBinding = std::int64_t{128} << 20;

// The two operands as [batch..., M, K] and [batch..., K, N], and what surrounds the product.
struct Product {
  std::vector<ViewStep> a_path, b_path;  // to [batch..., M, K] and to [batch..., N, K]
  Expr batches, rows, cols, depth;
  float alpha = 1;
};

ViewStep transposed(std::size_t rank) {
  ViewStep step{ViewStep::Kind::permute, {}, {}, {}, {}};
  for (std::size_t i = 0; i < rank; ++i) step.permutation.push_back(static_cast<std::int64_t>(i));
  std::swap(step.permutation[rank - 1], step.permutation[rank - 2]);
  return step;
}

ViewStep reshaped(std::vector<Expr> shape) {
  return ViewStep{ViewStep::Kind::reshape, std::move(shape), {}, {}, {}};
}

Product gemm_product(Lowering& lowering, const Node& node) {
  const auto& a = lowering.shape(node.inputs[0]);
  const auto& b = lowering.shape(node.inputs[1]);
  const bool a_transposed = node.int_or("transA", 0) != 0,
             b_transposed = node.int_or("transB", 0) != 0;
  Product p;
  p.batches = lowering.exprs().constant(1);
  p.rows = a[a_transposed ? 1 : 0];
  p.depth = a[a_transposed ? 0 : 1];
  p.cols = b[b_transposed ? 0 : 1];
  if (a_transposed) p.a_path.push_back(transposed(2));
  if (!b_transposed) p.b_path.push_back(transposed(2));
  p.alpha = node.float_or("alpha", 1);
  return p;
}

// NumPy's matmul: axes before the last two broadcast; a vector is a matrix of one row or column.
Product matmul_product(Lowering& lowering, const Node& node) {
  ExprPool& exprs = lowering.exprs();
  std::vector<Expr> a = lowering.shape(node.inputs[0]), b = lowering.shape(node.inputs[1]);
  const std::vector<Expr> out = lowering.shape(node.outputs[0]);
  const bool a_vector = a.size() == 1, b_vector = b.size() == 1;
  Product p;
  if (a_vector) {
    a.insert(a.begin(), exprs.constant(1));
    p.a_path.push_back(reshaped(a));
  }
  if (b_vector) {
    b.push_back(exprs.constant(1));
    p.b_path.push_back(reshaped(b));
  }
  p.rows = a[a.size() - 2];
  p.depth = a.back();
  p.cols = b.back();
  std::vector<Expr> batch(out.begin(), out.end() - (a_vector ? 0 : 1) - (b_vector ? 0 : 1));
  if (b.size() == 2) {
    // One matrix for all: the batch axes of A are more rows.
    p.batches = exprs.constant(1);
    p.rows = exprs.mul(exprs.product(batch), p.rows);
    p.b_path.push_back(transposed(2));
    return p;
  }
  p.batches = exprs.product(batch);
  const auto with_batch = [&](Expr x, Expr y) {
    std::vector<Expr> shape = batch;
    shape.insert(shape.end(), {x, y});
    return ViewStep{ViewStep::Kind::expand, shape, {}, {}, {}};
  };
  p.a_path.push_back(with_batch(p.rows, p.depth));
  p.b_path.push_back(with_batch(p.depth, p.cols));
  p.b_path.push_back(transposed(batch.size() + 2));
  return p;
}

// The stored weight that is the right operand as it lies, [N, K]; nullopt where B is anything else.
std::optional<WeightId> stored_matrix(Lowering& lowering, ValueId b, std::vector<ViewStep> path) {
  const Graph& graph = lowering.graph();
  while (!graph.values[b].constant && graph.values[b].producer != kNone) {
    const Node& node = graph.nodes[graph.values[b].producer];
    if (op_info(node.op).lower != "view" || node.outputs[0] != b) return std::nullopt;
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

// "fn NAME(b, m, k) -> vec4<f32>": one load of four where the operand lies so, else four loads.
Expected<void> declare_operand(Lowering& lowering, StepCode& code, ValueId value,
                               const Frame& frame, const std::vector<ViewStep>& path,
                               const std::string& name) {
  const std::string row = frame.coordinates[1].name;
  const std::string arguments = fmt::format("(b: u32, {}: u32, k: u32)", row);
  {
    Scope scope;
    Evaluator evaluator(lowering.model, lowering.schedule, lowering.placement, code, scope);
    if (const auto four = evaluator.four(value, frame, path)) {
      scope.line("if (k >= depth()) { return vec4<f32>(); }");
      code.declare(scope.function(fmt::format("{}{} -> vec4<f32>", name, arguments), *four));
      return {};
    }
  }
  Scope scope;
  Evaluator evaluator(lowering.model, lowering.schedule, lowering.placement, code, scope);
  SUBBYTE_TRY(const Typed element, evaluator.value(value, frame, path));
  code.declare(scope.function(fmt::format("{}_element{} -> f32", name, arguments), element.text));
  std::string text =
      fmt::format("fn {}{} -> vec4<f32> {{\n  var four = vec4<f32>();\n", name, arguments);
  for (int i = 0; i < 4; ++i) {
    text +=
        fmt::format("  if (k + {0}u < depth()) {{ four[{0}u] = {1}_element(b, {2}, k + {0}u); }}\n",
                    i, name, row);
  }
  code.declare(text + "  return four;\n}\n");
  return {};
}

Expected<void> declare_epilogue(Lowering& lowering, StepCode& code, const Kernel& kernel,
                                const Node& node, const Product& p) {
  const Frame frame{{{"b", p.batches}, {"m", p.rows}, {"n", p.cols}}};
  Scope scope;
  std::string value = "value";
  if (p.alpha != 1) value = scope.let(fmt::format("value * {}", f32_literal(p.alpha)));
  const float beta = node.op == Op::Gemm ? node.float_or("beta", 1) : 0.0f;
  if (node.op == Op::Gemm && node.has_input(2) && beta != 0) {
    Evaluator reads(lowering.model, lowering.schedule, lowering.placement, code, scope);
    const ViewStep broadcast{ViewStep::Kind::expand, lowering.shape(node.outputs[0]), {}, {}, {}};
    SUBBYTE_TRY(const Typed c, reads.value(node.inputs[2], frame, {broadcast}));
    value = scope.let(beta == 1 ? fmt::format("{} + {}", value, c.text)
                                : fmt::format("{} + {} * {}", value, f32_literal(beta), c.text));
  }
  Evaluator epilogue(lowering.model, lowering.schedule, lowering.placement, code, scope,
                     KernelResult{node.outputs[0], value, GpuType::f32});
  SUBBYTE_TRY(const Typed y, epilogue.definition(kernel.result, frame));
  scope.line(store_result(lowering, code, epilogue, kernel.result, frame, {}, y.text));
  code.declare(scope.function("store(b: u32, m: u32, n: u32, value: f32)"));
  return {};
}

}  // namespace

Expected<void> lower_matmul(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  ExprPool& exprs = lowering.exprs();
  const Product p =
      node.op == Op::Gemm ? gemm_product(lowering, node) : matmul_product(lowering, node);
  const auto weight = stored_matrix(lowering, node.inputs[1], p.b_path);

  StepCode code(exprs, lowering.plan);
  code.declare_size("batches", p.batches);
  code.declare_size("rows", p.rows);
  code.declare_size("cols", p.cols);
  code.declare_size("depth", p.depth);
  SUBBYTE_CHECK_OK(declare_operand(lowering, code, node.inputs[0],
                                   Frame{{{"b", p.batches}, {"m", p.rows}, {"k", p.depth}}},
                                   p.a_path, "load_a"));
  Expr first = exprs.constant(0), chunk = p.cols;
  std::optional<WeightId> split;
  std::vector<std::string_view> libraries{"octet"};
  if (weight) {
    const StoredWeight& stored = lowering.plan.weights[*weight];
    if (stored.rows * stored.layout.values > kMaxBinding) {
      split = *weight;
      first = lowering.plan.first_row(exprs);
      chunk = lowering.plan.chunk_rows(exprs);
    }
    code.bind_matrix(*weight);
    if (std::holds_alternative<AffineEncoding>(stored.encoding))
      libraries.push_back("weights_affine");
    libraries.push_back(matrix_library(stored));
  } else {
    SUBBYTE_CHECK_OK(declare_operand(lowering, code, node.inputs[1],
                                     Frame{{{"b", p.batches}, {"n", p.cols}, {"k", p.depth}}},
                                     p.b_path, "load_b"));
    libraries.push_back("weights_activations");
  }
  code.declare_size("first_col", first);
  code.declare_size("chunk_cols", chunk);
  SUBBYTE_CHECK_OK(declare_epilogue(lowering, code, kernel, node, p));

  std::vector<FormChoice> choices;
  for (auto& sized : matmul_forms(exprs, p.batches, p.rows, chunk, p.depth)) {
    choices.push_back(FormChoice{std::move(sized.form), sized.workgroups, sized.when});
  }
  add_step(lowering, step_name(lowering, kernel), code, libraries, choices, split);
  return {};
}

}  // namespace subbyte
