#include "passes/invariants.h"

#include <algorithm>

#include "base/text.h"

namespace subbyte {

Expected<void> contents_are_constants(const Model& model) {
  const Graph& graph = model.main();
  const Uses uses = find_uses(graph);
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    const Value& value = graph.values[v];
    if (!value.content || value.constant || uses.count(static_cast<ValueId>(v)) == 0) continue;
    if (!is_integer(value.dtype) && value.dtype != DType::boolean) continue;
    if (std::ranges::all_of(*value.content,
                            [&](Expr e) { return model.exprs.value(e).has_value(); }))
      return fail("value {} is known and no constant", quoted(value.name));
  }
  return {};
}

Expected<void> same_nodes(const Model& model, const Model& other) {
  const auto& nodes = model.main().nodes;
  const auto& others = other.main().nodes;
  for (std::size_t n = 0; n < std::min(nodes.size(), others.size()); ++n) {
    if (nodes[n].op != others[n].op || nodes[n].inputs != others[n].inputs ||
        nodes[n].outputs != others[n].outputs)
      return fail("{} changes when the pass runs again",
                  describe(model.main(), static_cast<NodeId>(n)));
  }
  if (nodes.size() == others.size()) return {};
  return fail("of {} nodes {} are left when the pass runs again", nodes.size(), others.size());
}

}  // namespace subbyte
