#include "plan/product.h"

#include <fmt/core.h>

#include "plan/product_parts.h"
#include "plan/weight_code.h"

namespace subbyte {

namespace {

// B's library files, with its accessors declared; `first` and `count` become the columns at hand
// where the weight is bound in chunks.
std::vector<std::string_view> bind_right(Lowering& lowering, StepCode& code, const Product& p,
                                         std::optional<WeightId>& split) {
  if (!p.weight) return {"octet", "weights_activations"};
  const StoredWeight& stored = lowering.plan.weights[*p.weight];
  if (p.groups == 1 && exceeds_binding(stored)) split = *p.weight;
  code.bind_matrix(*p.weight);
  const std::string groups = code.size(lowering.exprs().constant(p.groups));
  const bool repeated = p.repeats && !lowering.exprs().is(*p.repeats, 1);
  const std::string group = repeated ? fmt::format("b / {}", code.divisor(*p.repeats)) : "b";
  const std::string alone =
      p.first_row == 0 ? "n"
                       : fmt::format("n + {}", code.size(lowering.exprs().constant(p.first_row)));
  const std::string row =
      p.groups == 1 ? alone : fmt::format("{} % {} * cols() + n", group, groups);
  code.declare(fmt::format("fn weight_row(b: u32, n: u32) -> u32 {{ return {}; }}\n", row));
  return reader_files(stored);
}

// The sizes and B, for `batches` of C. The library files between prologue and body.
std::vector<std::string_view> declare_product(Lowering& lowering, StepCode& code, const Product& p,
                                              Expr batches, std::optional<WeightId>& split) {
  ExprPool& exprs = lowering.exprs();
  code.declare_size("batches", batches);
  code.declare_size("rows", p.rows);
  code.declare_size("cols", p.cols);
  code.declare_size("depth", p.depth);
  auto libraries = bind_right(lowering, code, p, split);
  code.declare_size("first_col", split ? lowering.plan.first_row(exprs) : exprs.constant(0));
  code.declare_size("chunk_cols", split ? lowering.plan.chunk_rows(exprs) : p.cols);
  code.declare(fmt::format("const ROWS_ADJACENT = {};\n", p.rows_adjacent));
  return libraries;
}

}  // namespace

void note_read_by_elements(Lowering& lowering, const Kernel& kernel, ValueId constant) {
  const auto it = lowering.placement.weights.find(constant);
  if (it == lowering.placement.weights.end()) return;
  const Encoding& encoding = lowering.plan.weights[it->second].encoding;
  if (std::holds_alternative<FloatEncoding>(encoding) ||
      std::holds_alternative<IntegerEncoding>(encoding))
    return;
  lowering.plan.read_by_elements.emplace_back(it->second, step_name(lowering, kernel));
}

ViewStep reshaped(std::vector<Expr> shape) {
  return ViewStep{ViewStep::Kind::reshape, std::move(shape), {}, {}, {}};
}

ViewStep expanded(std::vector<Expr> shape) {
  return ViewStep{ViewStep::Kind::expand, std::move(shape), {}, {}, {}};
}

ViewStep permuted(std::vector<std::int64_t> permutation) {
  return ViewStep{ViewStep::Kind::permute, {}, std::move(permutation), {}, {}};
}

Expected<void> declare_operand(Lowering& lowering, StepCode& code, ValueId value,
                               const Frame& frame, const std::vector<ViewStep>& path, Expr depth,
                               const std::string& name) {
  const std::string row = frame.coordinates[1].name;
  const std::string arguments = fmt::format("(b: u32, {}: u32, k: u32)", row);
  const std::string end = code.size(depth);
  {
    Scope scope;
    Evaluator evaluator(lowering.model, lowering.schedule, lowering.placement, code, scope);
    if (const auto four = evaluator.four(value, frame, path)) {
      scope.line(fmt::format("if (k >= {}) {{ return vec4<f32>(); }}", end));
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
    text += fmt::format("  if (k + {0}u < {3}) {{ four[{0}u] = {1}_element(b, {2}, k + {0}u); }}\n",
                        i, name, row, end);
  }
  code.declare(text + "  return four;\n}\n");
  return {};
}

Expected<void> declare_epilogue(Lowering& lowering, StepCode& code, const Kernel& kernel,
                                const Product& p) {
  const ValueId result = lowering.graph().nodes[kernel.anchor].outputs[0];
  Scope scope;
  std::string value = "value";
  if (p.alpha != 1) value = scope.let(fmt::format("value * {}", f32_literal(p.alpha)));
  if (p.addend != kNone && p.beta != 0) {
    Evaluator reads(lowering.model, lowering.schedule, lowering.placement, code, scope);
    std::vector<ViewStep> path = p.addend_path;
    path.insert(path.end(), p.result_path.begin(), p.result_path.end());
    SUBBYTE_TRY(const Typed addend, reads.value(p.addend, p.result, path));
    value = scope.let(p.beta == 1
                          ? fmt::format("{} + {}", value, addend.text)
                          : fmt::format("{} + {} * {}", value, f32_literal(p.beta), addend.text));
  }
  Evaluator epilogue(lowering.model, lowering.schedule, lowering.placement, code, scope,
                     KernelResult{result, value, p.integer ? GpuType::i32 : GpuType::f32});
  // The group's values have the elements of C in C's order, under whatever shape.
  std::vector<ViewStep> path = p.result_path;
  if (!path.empty()) path.insert(path.begin(), reshaped(lowering.shape(result)));
  SUBBYTE_TRY(const Typed y, epilogue.definition(kernel.result, p.result, path));
  scope.line(store_result(lowering, code, epilogue, kernel.result, p.result, path, y.text));
  if (!p.integer) {
    code.declare(scope.function("store(b: u32, m: u32, n: u32, value: f32)"));
    return {};
  }
  code.declare(scope.function("store_integer(b: u32, m: u32, n: u32, value: i32)"));
  if (!p.in_words) {
    // Whole already, but for weights that have been rounded to other numbers.
    code.declare(
        "fn store(b: u32, m: u32, n: u32, value: f32) {\n"
        "  store_integer(b, m, n, i32(round(value)));\n}\n");
  }
  return {};
}

Expected<void> add_product(Lowering& lowering, const Kernel& kernel, StepCode& code,
                           const Product& p) {
  ExprPool& exprs = lowering.exprs();
  std::optional<WeightId> split;
  StepCode part_code = code;
  const auto libraries = declare_product(lowering, code, p, p.batches, split);
  const Expr chunk = split ? lowering.plan.chunk_rows(exprs) : p.cols;
  auto forms = p.in_words
                   ? integer_product_forms(exprs, p.batches, p.rows, chunk)
                   : product_forms(exprs, p.batches, p.rows, chunk, p.depth, p.rows_adjacent);
  const auto parts = split || p.integer ? std::nullopt : product_parts(lowering, p);
  if (parts) {
    declare_product(lowering, part_code, p, exprs.mul(p.batches, parts->depth.parts), split);
    add_part_sums(lowering, kernel, part_code, p, *parts, libraries);
    // Behind the form for a CPU: nothing is left to do.
    forms.insert(forms.begin() + 1,
                 SizedForm{forms.back().form, parts->depth.form.when, exprs.constant(0)});
  }
  SUBBYTE_CHECK_OK(declare_epilogue(lowering, code, kernel, p));
  std::vector<FormChoice> choices;
  choices.reserve(forms.size());
  for (auto& sized : forms) {
    choices.push_back(FormChoice{std::move(sized.form), sized.workgroups, sized.when});
  }
  add_step(lowering, step_name(lowering, kernel), code, libraries, choices, split);
  return parts ? add_sum_of_parts(lowering, kernel, p, *parts) : Expected<void>();
}

}  // namespace subbyte
