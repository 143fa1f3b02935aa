// Outputs that a node leaves unnamed. What reads a node by the position of its outputs (the sizes
// of a Split, the kernel of a row, which writes all of them) would miss one that is not there.
#include <algorithm>

#include "graph/op_info.h"
#include "passes/canonicalize_rules.h"

namespace subbyte {
namespace {

void drop_absent_at_end(Node& node) {
  if (keeps_outputs(node.op)) return;
  while (node.outputs.size() > 1 && node.outputs.back() == kNone) node.outputs.pop_back();
}

}  // namespace

void name_outputs(Model& model) {
  Graph& graph = model.main();
  ConstantMaker make(model.exprs, graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    drop_absent_at_end(node);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNone) continue;
      node.outputs[i] = make.add_value(node, fmt::format("output_{}", i));
      graph.values[node.outputs[i]].producer = static_cast<NodeId>(n);
    }
  }
}

}  // namespace subbyte
