// Merges whose condition is known, or whose sides are the same.
#include "passes/resolve_branches.h"

#include "graph/branches.h"
#include "graph/infer.h"
#include "graph/ops.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

// As exporters write squeeze(axis): If(size == 1, Squeeze(x), x). What comes after it has one rank
// only, so that the Squeeze stands there always, and a run in which the size is another is an
// error. kNone where a Merge is something else.
ValueId squeezed_side(Model& model, const Node& node, Expr condition) {
  const Graph& graph = model.main();
  const auto behind_identities = [&](ValueId v) {
    for (NodeId n = graph.values[v].producer; n != kNone && graph.nodes[n].op == Op::Identity;
         n = graph.values[v].producer)
      v = graph.nodes[n].inputs[0];
    return v;
  };
  for (const std::size_t side : {std::size_t{1}, std::size_t{2}}) {
    const ValueId squeezed = behind_identities(node.inputs[side]);
    const ValueId whole = behind_identities(node.inputs[3 - side]);
    const NodeId producer = graph.values[squeezed].producer;
    const auto& shape = graph.values[whole].shape;
    if (producer == kNone || !shape) continue;
    const Node& squeeze = graph.nodes[producer];
    if (squeeze.op != Op::Squeeze || !squeeze.has_input(1)) continue;
    if (behind_identities(squeeze.inputs[0]) != whole) continue;
    const Tensor* axes = graph.constant(squeeze.inputs[1]);
    const auto axis = axes == nullptr ? std::nullopt : integer_values(*axes);
    const auto rank = static_cast<std::int64_t>(shape->size());
    if (!axis || axis->size() != 1 || axis->front() < -rank || axis->front() >= rank) continue;
    const std::int64_t at = axis->front() + (axis->front() < 0 ? rank : 0);
    const Expr is_one =
        model.exprs.equal((*shape)[static_cast<std::size_t>(at)], model.exprs.constant(1));
    if (branch_taken(model.exprs, condition, side == 1) == is_one) return squeezed;
  }
  return kNone;
}

// The value that a Merge gives whatever a run does; kNone where a run decides.
ValueId settled_side(Model& model, const Node& node) {
  if (node.op != Op::Merge) return kNone;
  if (node.inputs[1] == node.inputs[2]) return node.inputs[1];
  const auto& condition = model.main().values[node.inputs[0]].content;
  const auto known = condition ? model.exprs.value(condition->front()) : std::nullopt;
  if (!known) return condition ? squeezed_side(model, node, condition->front()) : kNone;
  return node.inputs[*known != 0 ? 1 : 2];
}

}  // namespace

Expected<bool> resolve_branches(Model& model) {
  bool any = false;
  for (bool changed = true; changed; any = any || changed) {
    changed = false;
    for (Node& node : model.main().nodes) {
      const ValueId side = settled_side(model, node);
      if (side == kNone) continue;
      node.op = Op::Identity;
      node.op_type = "Identity";
      node.domain.clear();
      node.inputs = {side};
      changed = true;
    }
    if (!changed) break;
    SUBBYTE_CHECK_OK(remove_identities(model));
    SUBBYTE_CHECK_OK(remove_unused(model));
    SUBBYTE_CHECK_OK(infer(model));
  }
  return any;
}

Expected<void> drop_untaken_branches(Model& model) {
  if (!Guards(model.main()).any()) return {};
  Model settled = model;
  // What is wrong with the model is told by those who look at all of it.
  if (!canonicalize(settled) || !resolve_branches(settled)) return {};
  model = std::move(settled);
  return {};
}

Expected<void> resolve_control_flow(Model& model) {
  SUBBYTE_CHECK_OK(inline_branches(model));
  SUBBYTE_CHECK_OK(unroll_loops(model));
  return drop_untaken_branches(model);
}

}  // namespace subbyte
