// A product whose depth is divided: a step that sums each part of it, and one that adds the parts
// up. Each has a form of no workgroups for where the product is computed whole.
#include "plan/product_parts.h"

#include <fmt/core.h>

namespace subbyte {

namespace {

// The forms of a step that runs in place of the whole product: not on a CPU, not at other sizes.
std::vector<FormChoice> only_in_parts(ExprPool& exprs, const SizedForm& form) {
  const Expr none = exprs.constant(0);
  KernelForm on_a_cpu = form.form;
  on_a_cpu.limits = {{"isFallbackAdapter", 1}};
  return {FormChoice{on_a_cpu, none, {}}, FormChoice{form.form, form.workgroups, form.when},
          FormChoice{form.form, none, {}}};
}

}  // namespace

std::optional<ProductParts> product_parts(Lowering& lowering, const Product& p) {
  ExprPool& exprs = lowering.exprs();
  auto depth = depth_parts(exprs, p.batches, p.rows, p.cols, p.depth, p.rows_adjacent);
  if (!depth) return std::nullopt;
  const Expr plane = exprs.mul(p.rows, p.cols);
  const Expr count = exprs.mul(exprs.mul(p.batches, depth->parts), plane);
  const auto sums = static_cast<TensorId>(lowering.plan.tensors.size());
  lowering.plan.tensors.push_back(
      PlanTensor{exprs.select(depth->form.when, count, exprs.constant(0))});
  return ProductParts{std::move(*depth), sums, plane};
}

void add_part_sums(Lowering& lowering, const Kernel& kernel, StepCode& code, const Product& p,
                   const ProductParts& parts, const std::vector<std::string_view>& libraries) {
  ExprPool& exprs = lowering.exprs();
  code.declare_size("parts", parts.depth.parts);
  const std::string in_plane = p.rows_adjacent ? fmt::format("n * {} + m", code.size(p.rows))
                                               : fmt::format("m * {} + n", code.size(p.cols));
  const std::string at = fmt::format("b * {} + {}", code.size(parts.plane), in_plane);
  code.declare(fmt::format("fn store(b: u32, m: u32, n: u32, value: f32) {{ {} }}\n",
                           code.write_tensor(parts.sums, GpuType::f32, at, "value")));
  add_step(lowering, step_name(lowering, kernel), code, libraries,
           only_in_parts(exprs, parts.depth.form));
}

Expected<void> add_sum_of_parts(Lowering& lowering, const Kernel& kernel, const Product& p,
                                const ProductParts& parts) {
  ExprPool& exprs = lowering.exprs();
  StepCode code(exprs, lowering.plan, true);
  SUBBYTE_CHECK_OK(declare_epilogue(lowering, code, kernel, p));
  const Expr count = exprs.mul(p.batches, parts.plane);
  const std::string plane = code.divisor(parts.plane);
  const std::string inner = code.divisor(p.rows_adjacent ? p.rows : p.cols);
  const std::string divided = code.size(parts.depth.parts);
  Scope scope;
  scope.line(fmt::format("let b = i / {};", plane));
  scope.line(fmt::format("let at = i % {};", plane));
  scope.line("var sum = 0.0f;");
  const std::string part = fmt::format("(b * {} + s) * {} + at", divided, plane);
  scope.line(fmt::format("for (var s = 0u; s < {}; s++) {{ sum += {}; }}", divided,
                         code.read_tensor(parts.sums, GpuType::f32, part).text));
  const std::string first = "at / " + inner, second = "at % " + inner;
  scope.line(fmt::format("store(b, {}, {}, sum);", p.rows_adjacent ? second : first,
                         p.rows_adjacent ? first : second));
  code.declare(scope.function("element(i: u32)"));
  code.declare_size("count", count);
  const SizedForm form{elementwise_form(), parts.depth.form.when,
                       elementwise_workgroups(exprs, count)};
  add_step(lowering, step_name(lowering, kernel), code, {}, only_in_parts(exprs, form));
  return {};
}

}  // namespace subbyte
