#include <algorithm>

#include "graph/ops.h"
#include "passes/canonical_form.h"
#include "passes/canonicalize_rules.h"
#include "passes/compact.h"
#include "passes/keep_small.h"

namespace subbyte {
namespace {

// Whether a node gives elements of its input 0, at other places.
bool takes_elements(Op op) {
  return is_view(op) || keeps_elements(op) || op == Op::Gather || op == Op::GatherElements ||
         op == Op::GatherND;
}

class TableWidening {
 public:
  explicit TableWidening(Model& model)
      : graph_(model.main()), make_(model.exprs, graph_), uses_(find_uses(graph_)) {}

  void run() {
    const std::size_t count = graph_.nodes.size();
    for (NodeId n = 0; n < count; ++n) {
      if (!widens(graph_.nodes[n])) continue;
      const auto path = path_to_table(n);
      if (!path.empty() && is_widened_whole(graph_.nodes[path.back()].inputs[0])) move(n, path);
    }
    prepend(graph_, std::move(casts_));
  }

 private:
  bool widens(const Node& node) const {
    if (node.op != Op::Cast || node.int_or("to", 0) != static_cast<std::int64_t>(DType::float32))
      return false;
    const DType from = graph_.values[node.inputs[0]].dtype;
    return from == DType::float16 || from == DType::bfloat16;
  }

  // The nodes before the Cast that take elements of a constant, the last of them first; none where
  // there are others, or others read what they give.
  std::vector<NodeId> path_to_table(NodeId cast) const {
    std::vector<NodeId> path;
    for (ValueId v = graph_.nodes[cast].inputs[0]; !graph_.values[v].constant;
         v = graph_.nodes[path.back()].inputs[0]) {
      const NodeId producer = graph_.values[v].producer;
      if (producer == kNone || uses_.count(v) != 1) return {};
      const Node& node = graph_.nodes[producer];
      if (!takes_elements(node.op) || node.outputs.size() != 1) return {};
      path.push_back(producer);
    }
    return path;
  }

  bool is_widened_whole(ValueId table) const {
    return std::ranges::any_of(uses_.readers[table],
                               [&](NodeId reader) { return widens(graph_.nodes[reader]); });
  }

  void move(NodeId cast, const std::vector<NodeId>& path) {
    const ValueId table = graph_.nodes[path.back()].inputs[0];
    Node first = graph_.nodes[cast];
    const ValueId wide = make_.add_value(first, "table");
    graph_.values[wide].dtype = DType::float32;
    graph_.values[wide].shape = graph_.values[table].shape;
    first.name.clear();
    first.inputs = {table};
    first.outputs = {wide};
    casts_.push_back(std::move(first));
    graph_.nodes[path.back()].inputs[0] = wide;
    for (const NodeId n : path) graph_.values[graph_.nodes[n].outputs[0]].dtype = DType::float32;
    // The Cast has nothing left to do.
    graph_.nodes[cast].op = Op::Identity;
    graph_.nodes[cast].op_type = "Identity";
    graph_.nodes[cast].attributes.clear();
  }

  Graph& graph_;
  ConstantMaker make_;
  Uses uses_;
  std::vector<Node> casts_;
};

}  // namespace

void widen_tables(Model& model) { TableWidening(model).run(); }

}  // namespace subbyte
