// Sums along an axis up to each of its elements.
#include <fmt/core.h>

#include "plan/index_code.h"
#include "plan/reduce_code.h"

namespace subbyte {

Expected<void> lower_cumulative(Lowering& lowering, const Kernel& kernel) {
  ExprPool& exprs = lowering.exprs();
  const Node& node = lowering.graph().nodes[kernel.anchor];
  const auto shape = lowering.shape(node.inputs[0]);
  const auto& axes = lowering.graph().values[node.inputs[1]].content;
  const std::int64_t given = axes && !axes->empty() ? exprs.value((*axes)[0]).value_or(0) : 0;
  const std::size_t axis = axis_from_front(given, shape.size());
  const GpuType type = lowering.type(node.inputs[0]);
  const std::string t(wgsl_name(type));
  const std::vector<Expr> sizes{exprs.product(std::span(shape).first(axis)), shape[axis],
                                exprs.product(std::span(shape).subspan(axis + 1))};
  const Expr outer = exprs.product(sizes), inner = shape[axis];

  StepCode code(exprs, lowering.plan);
  declare_accumulator(code, {t, t + "(0)", "a + b"}, outer, inner);
  Scope loads;
  const auto at = split_index(code, loads, "o", sizes);
  const bool exclusive = node.int_or("exclusive", 0) != 0;
  const bool reverse = node.int_or("reverse", 0) != 0;
  const char* left_out = reverse ? (exclusive ? "<=" : "<") : (exclusive ? ">=" : ">");
  loads.line(fmt::format("if (r {} {}) {{ return init(); }}", left_out, at[1]));
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, loads);
  SUBBYTE_TRY(
      const Typed x,
      reader.value(node.inputs[0], Frame{{{at[0], sizes[0]}, {"r", inner}, {at[2], sizes[2]}}}));
  code.declare(loads.function("load(o: u32, r: u32) -> T", x.text));
  Scope stores;
  // Neighbouring results read the same elements.
  return finish_reduction(lowering, kernel, code, stores, {"acc", type}, outer, inner, true);
}

}  // namespace subbyte
