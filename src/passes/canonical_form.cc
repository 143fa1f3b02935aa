#include "passes/canonical_form.h"

#include <algorithm>

namespace subbyte {
namespace {

Expected<void> check_node(const Node& node) {
  const auto absent = std::ranges::find(node.outputs, kNone);
  if (absent != node.outputs.end())
    return fail("its output {} has no name", absent - node.outputs.begin());
  return {};
}

}  // namespace

Expected<void> check_canonical(const Model& model) {
  const Graph& graph = model.main();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (auto done = check_node(graph.nodes[n]); !done)
      return within(describe(graph, static_cast<NodeId>(n)), std::move(done.error()));
  }
  return {};
}

}  // namespace subbyte
