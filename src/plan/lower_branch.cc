// What is left of an If (graph/branches.h): its condition where the GPU computes it, and for each
// of its outputs two steps, of which one runs.
#include "graph/branches.h"
#include "plan/plan_segments.h"
#include "plan/scalar_wgsl.h"
#include "plan/scatter_code.h"

namespace subbyte {

Expected<void> lower_decide(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  const Value& x = lowering.graph().values[node.inputs[0]];
  ExprPool& exprs = lowering.exprs();
  StepCode code(exprs, lowering.plan);
  Scope scope;
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, scope);
  const Frame frame{{{"i", exprs.constant(1)}}};
  SUBBYTE_TRY(const Typed condition, reader.value(node.inputs[0], frame));
  const std::string holds =
      fmt::format("u32({} != 0u)", convert(condition, x.dtype, DType::boolean).text);
  const TensorId found = lowering.placement.tensors.at(kernel.result);
  scope.line(code.write_tensor(found, GpuType::u32, "i", holds));
  add_elementwise(lowering, kernel, code, scope, exprs.constant(1));
  const Expr decided = lowering.graph().values[node.outputs[1]].content->front();
  end_segment(lowering.plan, PlanSymbol{decided, found, exprs.constant(1)});
  return {};
}

namespace {

// Where the value of one side is taken, and what follows the Merge is computed of it.
Expected<void> lower_side(Lowering& lowering, const Kernel& kernel, std::size_t side) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  const ValueId from = node.inputs[side], merged = node.outputs[0];
  const Expr count = lowering.elements(from);
  if (lowering.exprs().is(count, 0)) return {};
  StepCode code(lowering.exprs(), lowering.plan);
  Scope scope;
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, scope);
  SUBBYTE_TRY(const Typed value, reader.value(from, Frame{{{"i", count}}}));
  const Frame frame{{{"i", lowering.elements(merged)}}};
  Evaluator epilogue(lowering.model, lowering.schedule, lowering.placement, code, scope,
                     KernelResult{merged, scope.let(value.text), value.type, value.watch});
  SUBBYTE_TRY(const Typed result, epilogue.definition(kernel.result, frame));
  scope.line(store_result(lowering, code, epilogue, kernel.result, frame, {}, result.text));
  add_elementwise(lowering, kernel, code, scope, count);
  return {};
}

}  // namespace

Expected<void> lower_merge(Lowering& lowering, const Kernel& kernel) {
  const ValueId condition = lowering.graph().nodes[kernel.anchor].inputs[0];
  const Expr decides = lowering.graph().values[condition].content->front();
  const Expr guard = lowering.guard;
  for (const std::size_t side : {1U, 2U}) {
    lowering.guard =
        lowering.exprs().mul(guard, branch_taken(lowering.exprs(), decides, side == 1));
    SUBBYTE_CHECK_OK(lower_side(lowering, kernel, side));
  }
  lowering.guard = guard;
  return {};
}

}  // namespace subbyte
