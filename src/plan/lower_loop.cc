// A Loop or Scan (graph/loops.h): what goes from turn to turn has a tensor, which is written before
// the first turn and, as the last steps of each, from what the turn computed.
#include <fmt/format.h>

#include "graph/loops.h"
#include "plan/plan_segments.h"
#include "plan/scalar_wgsl.h"
#include "plan/scatter_code.h"

namespace subbyte {
namespace {

// Copies `from` to the elements of `to` from `start` on.
Expected<void> copy(Lowering& lowering, const Kernel& kernel, ValueId from, TensorId to,
                    std::optional<Expr> start = std::nullopt) {
  const Expr count = lowering.elements(from);
  if (lowering.exprs().is(count, 0)) return {};
  StepCode code(lowering.exprs(), lowering.plan);
  Scope scope;
  Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, scope);
  SUBBYTE_TRY(const Typed value, reader.value(from, Frame{{{"i", count}}}));
  const std::string at = start ? fmt::format("i + {}", code.size(*start)) : "i";
  scope.line(code.write_tensor(to, value.type, at, value.text));
  add_elementwise(lowering, kernel, code, scope, count);
  return {};
}

Expected<void> copy_tensor(Lowering& lowering, const Kernel& kernel, ValueId like, TensorId from,
                           TensorId to) {
  const Expr count = lowering.elements(like);
  StepCode code(lowering.exprs(), lowering.plan);
  Scope scope;
  const GpuType type = lowering.type(like);
  scope.line(code.write_tensor(to, type, "i", code.read_tensor(from, type, "i").text));
  add_elementwise(lowering, kernel, code, scope, count);
  return {};
}

}  // namespace

Expected<void> lower_enter(Lowering& lowering, const Kernel& kernel) {
  const Node node = lowering.graph().nodes[kernel.anchor];
  for (std::size_t k = 0; k + 1 < node.outputs.size(); ++k)
    SUBBYTE_CHECK_OK(copy(lowering, kernel, node.inputs[kFirstState + k],
                          lowering.placement.tensors.at(node.outputs[k])));
  return {};
}

Expected<void> lower_leave(Lowering& lowering, const Kernel& kernel) {
  const Node node = lowering.graph().nodes[kernel.anchor];
  const NodeId entered = lowering.graph().values[node.inputs[0]].producer;
  const Node enter = lowering.graph().nodes[entered];
  const std::size_t states = states_of_leave(node);
  const Expr turn = lowering.graph().values[node.inputs[0]].content->front();
  const auto tensor_of = [&](ValueId v) { return lowering.placement.tensors.at(v); };
  for (std::size_t k = states; k < node.outputs.size(); ++k) {
    const auto to = lowering.placement.tensors.find(node.outputs[k]);
    if (to == lowering.placement.tensors.end()) continue;  // nothing reads it
    const ValueId part = node.inputs[kFirstNext + k];
    const Expr start = lowering.exprs().mul(turn, lowering.elements(part));
    SUBBYTE_CHECK_OK(copy(lowering, kernel, part, to->second, start));
  }
  // What the next turn is given of a state as this one has it must not be overwritten before.
  std::vector<std::pair<std::size_t, TensorId>> kept;
  for (std::size_t k = 0; k < states; ++k) {
    const ValueId next = node.inputs[kFirstNext + k];
    if (next == enter.outputs[k]) continue;
    StepCode code(lowering.exprs(), lowering.plan);
    Scope scope;
    const Evaluator reader(lowering.model, lowering.schedule, lowering.placement, code, scope);
    const ValueId source = reader.behind_views(next, {}).value;
    const bool is_state = lowering.graph().values[source].producer == entered;
    const TensorId own = tensor_of(enter.outputs[k]);
    if (!is_state) {
      kept.emplace_back(k, own);
      continue;
    }
    const auto aside = static_cast<TensorId>(lowering.plan.tensors.size());
    lowering.plan.tensors.push_back(
        PlanTensor{most_elements(lowering.exprs(), lowering.elements(next))});
    SUBBYTE_CHECK_OK(copy(lowering, kernel, next, aside));
    kept.emplace_back(k, aside);
  }
  for (const auto& [k, from] : kept) {
    const TensorId own = tensor_of(enter.outputs[k]);
    if (from == own) {
      SUBBYTE_CHECK_OK(copy(lowering, kernel, node.inputs[kFirstNext + k], own));
    } else {
      SUBBYTE_CHECK_OK(copy_tensor(lowering, kernel, enter.outputs[k], from, own));
    }
  }
  return {};
}

}  // namespace subbyte
