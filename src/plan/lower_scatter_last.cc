// A scatter without a reduction, in three steps: nothing has landed anywhere; each update leaves
// its number where it lands, the greatest staying; each element takes the update whose number it
// holds.
#include <fmt/format.h>

#include "plan/scatter_code.h"

namespace subbyte {

namespace {

void clear(Lowering& lowering, const Kernel& kernel, TensorId landed, Expr count) {
  StepCode code(lowering.exprs(), lowering.plan);
  Scope scope;
  scope.line(code.write_tensor(landed, GpuType::u32, "i", "0u"));
  add_elementwise(lowering, kernel, code, scope, count);
}

Expected<void> land(Lowering& lowering, const Kernel& kernel, const Node& node,
                    const Scatter& scatter, TensorId landed) {
  StepCode code(lowering.exprs(), lowering.plan);
  Scope scope;
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, scope);
  SUBBYTE_TRY(const std::string slot,
              landing_slot(lowering, node, scatter, code, scope, reader, "i"));
  scope.line(fmt::format("atomicMax(&{}[{}], i + 1u);", code.bind_atomic(landed), slot));
  add_elementwise(lowering, kernel, code, scope, updates(lowering, node, scatter));
  return {};
}

Expected<void> take(Lowering& lowering, const Kernel& kernel, const Node& node,
                    const Scatter& scatter, TensorId landed) {
  ExprPool& exprs = lowering.exprs();
  const Expr count = lowering.elements(node.inputs[0]);
  const Frame frame{{{"i", count}}};
  StepCode code(exprs, lowering.plan);
  Scope scope;
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, scope);
  std::string slot = "i";
  Frame update{{{"", lowering.elements(node.inputs[2])}}};
  if (scatter.slices) {
    const auto at = split_index(
        code, scope, "i", std::vector<Expr>{exprs.product(slots(scatter)), scatter.sizes.back()});
    slot = at[0];
    update = {{{"", scatter.candidates}, {at[1], scatter.sizes.back()}}};
  }
  const std::string number = scope.let(code.read_tensor(landed, GpuType::u32, slot).text);
  update.coordinates[0].name = scope.let(fmt::format("max({}, 1u) - 1u", number));
  SUBBYTE_TRY(const Typed before, reader.value(node.inputs[0], frame));
  SUBBYTE_TRY(const Typed after, reader.value(node.inputs[2], update));
  const std::string value =
      scope.let(fmt::format("select({}, {}, {} > 0u)", before.text, after.text, number));
  Evaluator epilogue(lowering.model, lowering.schedule, lowering.placement, code, scope,
                     KernelResult{node.outputs[0], value, before.type});
  SUBBYTE_TRY(const Typed y, epilogue.definition(kernel.result, frame));
  scope.line(store_result(lowering, code, epilogue, kernel.result, frame, {}, y.text));
  add_elementwise(lowering, kernel, code, scope, count);
  return {};
}

}  // namespace

Expected<void> lower_scatter_last(Lowering& lowering, const Kernel& kernel,
                                  const Scatter& scatter) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  const Expr count = lowering.exprs().product(slots(scatter));
  const auto landed = static_cast<TensorId>(lowering.plan.tensors.size());
  lowering.plan.tensors.push_back(PlanTensor{count});
  clear(lowering, kernel, landed, count);
  SUBBYTE_CHECK_OK(land(lowering, kernel, node, scatter, landed));
  return take(lowering, kernel, node, scatter, landed);
}

}  // namespace subbyte
