// Kernels without an anchor: one invocation for each element of the result.
#include <fmt/core.h>

#include "graph/node_form.h"
#include "graph/ops.h"
#include "plan/index_code.h"
#include "plan/lowering.h"

namespace subbyte {

namespace {

Expected<void> lower_concat_parts(Lowering& lowering, const Kernel& kernel, const Node& node) {
  ExprPool& exprs = lowering.exprs();
  const std::vector<Expr> out = lowering.shape(kernel.result);
  const std::size_t axis = axis_of(node);
  Expr start = exprs.constant(0);
  const std::vector<ValueId> parts = node.inputs;
  for (const ValueId part : parts) {
    StepCode code(exprs, lowering.plan);
    Scope scope;
    Evaluator evaluator(lowering.model, lowering.schedule, lowering.placement, code, scope);
    const Frame frame{{{"i", lowering.elements(part)}}};
    SUBBYTE_TRY(const Typed value, evaluator.value(part, frame));
    ViewStep place{ViewStep::Kind::slice,
                   lowering.shape(part),
                   {},
                   std::vector<Expr>(out.size(), exprs.constant(0)),
                   std::vector<Expr>(out.size(), exprs.constant(1))};
    place.starts[axis] = start;
    scope.line(store_result(lowering, code, evaluator, kernel.result, frame, {place}, value.text));
    code.declare(scope.function("element(i: u32)"));
    code.declare_size("count", lowering.elements(part));
    add_step(lowering, step_name(lowering, kernel), code, {},
             {FormChoice{
                 elementwise_form(), elementwise_workgroups(exprs, lowering.elements(part)), {}}});
    start = exprs.add(start, lowering.shape(part)[axis]);
  }
  return {};
}

}  // namespace

Expected<void> lower_elementwise(Lowering& lowering, const Kernel& kernel) {
  const Value& result = lowering.graph().values[kernel.result];
  if (result.producer != kNone) {
    const Node& node = lowering.graph().nodes[result.producer];
    if (node.op == Op::Concat && node.inputs.size() > kMaxJoinedParts) {
      return lower_concat_parts(lowering, kernel, node);
    }
  }
  StepCode code(lowering.exprs(), lowering.plan);
  Scope scope;
  Evaluator evaluator(lowering.model, lowering.schedule, lowering.placement, code, scope);
  const Expr count = lowering.elements(kernel.result);
  const Frame frame{{{"i", count}}};
  SUBBYTE_TRY(const Typed value, evaluator.definition(kernel.result, frame));
  scope.line(store_result(lowering, code, evaluator, kernel.result, frame, {}, value.text));
  code.declare(scope.function("element(i: u32)"));
  code.declare_size("count", count);
  add_step(lowering, step_name(lowering, kernel), code, {},
           {FormChoice{elementwise_form(), elementwise_workgroups(lowering.exprs(), count), {}}});
  return {};
}

}  // namespace subbyte
