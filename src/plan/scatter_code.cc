#include "plan/scatter_code.h"

#include <fmt/format.h>

#include "plan/reduce_code.h"
#include "plan/scalar_wgsl.h"

namespace subbyte {

Joining joining(std::string_view reduction, GpuType type, DType dtype) {
  using Text = const std::string&;
  const auto number = [&](int n) { return fmt::format("{}({})", wgsl_name(type), n); };
  if (reduction == "add") {
    return {number(0), [](GpuType, Text a, Text b) { return fmt::format("{} + {}", a, b); }};
  }
  if (reduction == "mul") {
    return {number(1), [](GpuType, Text a, Text b) { return fmt::format("{} * {}", a, b); }};
  }
  if (reduction == "max") {
    return {lowest_literal(dtype),
            [](GpuType t, Text a, Text b) { return extreme(true, t, a, b); }};
  }
  if (reduction == "min") {
    return {highest_literal(dtype),
            [](GpuType t, Text a, Text b) { return extreme(false, t, a, b); }};
  }
  return {};
}

std::vector<Expr> slots(const Scatter& scatter) {
  return {scatter.sizes.begin(), scatter.sizes.end() - (scatter.slices ? 1 : 0)};
}

Expr updates(Lowering& lowering, const Node& node, const Scatter& scatter) {
  return scatter.slices ? scatter.candidates : lowering.elements(node.inputs[1]);
}

Expected<std::string> landing_slot(Lowering& lowering, const Node& node, const Scatter& scatter,
                                   StepCode& code, Scope& scope, Evaluator& reader,
                                   const std::string& update) {
  ExprPool& exprs = lowering.exprs();
  const std::vector<Expr> sizes = slots(scatter);
  const Expr count = updates(lowering, node, scatter);
  const auto strides = contiguous_strides(exprs, sizes);
  std::vector<std::string> at;
  const auto place = [&](const Typed& index, std::size_t g) {
    const std::string where = signed_index(code, scope, index, sizes[g]);
    // Below the axis is far beyond it as u32.
    scope.line(fmt::format("if (u32({}) >= {}) {{ return; }}", where, code.size(sizes[g])));
    return scope.let(fmt::format("u32({})", where));
  };
  if (scatter.slices) {
    for (std::size_t g = 0; g < sizes.size(); ++g) {
      const Frame from{{{update, count}, {fmt::format("{}u", g), scatter.depth}}};
      SUBBYTE_TRY(const Typed index, reader.value(node.inputs[1], from));
      at.push_back(place(index, g));
    }
  } else {
    SUBBYTE_TRY(const Typed index, reader.value(node.inputs[1], Frame{{{update, count}}}));
    at = split_index(code, scope, update, sizes_after(scatter.groups));
    at[scatter.axis] = place(index, scatter.axis);
  }
  std::vector<std::string> terms;
  for (std::size_t g = 0; g < at.size(); ++g) {
    if (auto term = code.scaled(at[g], strides[g]); !term.empty()) terms.push_back(term);
  }
  return terms.empty() ? "0u" : scope.let(fmt::format("{}", fmt::join(terms, " + ")));
}

void add_elementwise(Lowering& lowering, const Kernel& kernel, StepCode& code, const Scope& scope,
                     Expr count) {
  code.declare(scope.function("element(i: u32)"));
  code.declare_size("count", count);
  add_step(lowering, step_name(lowering, kernel), code, {},
           {FormChoice{elementwise_form(), elementwise_workgroups(lowering.exprs(), count), {}}});
}

}  // namespace subbyte
