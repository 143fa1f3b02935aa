// TopK: lines along an axis are sorted, and the first k of each kept.
#include <fmt/core.h>

#include "graph/node_form.h"
#include "plan/index_code.h"
#include "plan/plan_segments.h"
#include "plan/sort_code.h"

namespace subbyte {

Expected<void> lower_top_k(Lowering& lowering, const Kernel& kernel) {
  ExprPool& exprs = lowering.exprs();
  const Node& node = lowering.graph().nodes[kernel.anchor];
  const auto shape = lowering.shape(node.inputs[0]);
  const std::size_t axis = axis_of(node);
  const Expr before = exprs.product(std::span(shape).first(axis));
  const Expr after = exprs.product(std::span(shape).subspan(axis + 1));
  const bool largest = node.int_or("largest", 1) != 0;
  Sort sort;
  sort.lines = exprs.mul(before, after);
  sort.length = shape[axis];
  sort.kept = lowering.shape(node.outputs[0])[axis];
  const auto frame = [&](StepCode& code, Scope& scope, const std::string& line,
                         const std::string& i, Expr length) {
    const auto at = split_index(code, scope, line, std::vector<Expr>{before, after});
    return Frame{{{at[0], before}, {i, length}, {at[1], after}}};
  };
  sort.key = [&](StepCode& code, Scope& scope, const std::string& line,
                 const std::string& i) -> Expected<std::string> {
    Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, scope);
    SUBBYTE_TRY(const Typed x,
                reader.value(node.inputs[0], frame(code, scope, line, i, sort.length)));
    return sort_key(code, Typed{scope.let(x.text), x.type}, largest);
  };
  sort.store = [&](StepCode& code, Scope& scope, const std::string& line, const std::string& rank,
                   const std::string& place) -> Expected<void> {
    const Frame to = frame(code, scope, line, rank, sort.kept);
    Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, scope);
    SUBBYTE_TRY(const Typed x,
                reader.value(node.inputs[0], frame(code, scope, line, place, sort.length)));
    Evaluator epilogue(lowering.model, lowering.schedule, lowering.placement, code, scope,
                       KernelResult{node.outputs[0], scope.let(x.text), x.type});
    SUBBYTE_TRY(const Typed y, epilogue.definition(kernel.result, to));
    scope.line(store_result(lowering, code, epilogue, kernel.result, to, {}, y.text));
    const ValueId places = node.outputs.size() > 1 ? node.outputs[1] : kNone;
    if (places != kNone && lowering.placement.tensors.contains(places)) {
      scope.line(
          store_result(lowering, code, epilogue, places, to, {}, fmt::format("i32({})", place)));
    }
    return {};
  };
  // A k that is computed is read when all before it has run.
  if (!lowering.graph().values[node.inputs[1]].content) {
    const auto tensor = lowering.placement.tensors.find(node.inputs[1]);
    if (tensor == lowering.placement.tensors.end())
      return fail("{}: its k is not computed by a kernel of its own", step_name(lowering, kernel));
    end_segment(lowering.plan, PlanSymbol{sort.kept, tensor->second, sort.length});
  }
  return add_sort(lowering, step_name(lowering, kernel), sort);
}

}  // namespace subbyte
