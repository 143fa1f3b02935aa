// Merges whose condition is known, or whose sides are the same.
#include "passes/resolve_branches.h"

#include "graph/branches.h"
#include "graph/infer.h"
#include "graph/ops.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

// The value that a Merge gives whatever a run does; kNone where a run decides.
ValueId settled_side(const Model& model, const Node& node) {
  if (node.op != Op::Merge) return kNone;
  if (node.inputs[1] == node.inputs[2]) return node.inputs[1];
  const auto& condition = model.main().values[node.inputs[0]].content;
  const auto known = condition ? model.exprs.value(condition->front()) : std::nullopt;
  if (!known) return kNone;
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
