// Integers that sizes are computed from: a segment ends with them, and they are known to the rest.
#include "plan/plan_segments.h"
#include "plan/scalar_wgsl.h"
#include "plan/scatter_code.h"

namespace subbyte {

Expected<void> lower_read_back(Lowering& lowering, const Kernel& kernel) {
  const Node& node = lowering.graph().nodes[kernel.anchor];
  StepCode code(lowering.exprs(), lowering.plan);
  Scope scope;
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, scope);
  const Expr count = lowering.elements(node.inputs[0]);
  SUBBYTE_TRY(const Typed value, reader.value(node.inputs[0], Frame{{{"i", count}}}));
  const TensorId found = lowering.placement.tensors.at(kernel.result);
  scope.line(code.write_tensor(found, value.type, "i", value.text));
  add_elementwise(lowering, kernel, code, scope, count);
  std::uint32_t word = 0;
  // No bound: a run whose memory is too small for what it finds begins again with more.
  for (const Expr symbol : *lowering.graph().values[node.outputs[1]].content)
    end_segment(lowering.plan, PlanSymbol{symbol, found, std::nullopt, word++});
  return {};
}

}  // namespace subbyte
