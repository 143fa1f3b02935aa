// If: what is in its branches comes into the graph around it (graph/branches.h).
#include <algorithm>
#include <string>

#include "base/text.h"
#include "graph/ops.h"
#include "passes/body_splicer.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

bool is_if(const Node& node) {
  return node.op == Op::Unknown && node.op_type == "If" && node.domain.empty();
}

const GraphRef* body_of(const Node& node, std::string_view attribute) {
  const Attribute* found = node.find(attribute);
  return found == nullptr ? nullptr : std::get_if<GraphRef>(&found->value);
}

// One graph whose nodes are written anew.
class Inliner {
 public:
  Inliner(Model& model, GraphId graph)
      : model_(model), graph_(model.graphs[graph]), splicer_(graph_, "_", 2) {}

  Expected<void> run() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      if (!is_if(nodes[n])) {
        graph_.add_node(std::move(nodes[n]));
        continue;
      }
      const std::string what = nodes[n].name.empty()
                                   ? fmt::format("node {} (If)", n)
                                   : fmt::format("node {} (If)", quoted(nodes[n].name));
      if (auto done = inline_if(nodes[n]); !done) return within(what, std::move(done.error()));
    }
    return {};
  }

 private:
  Expected<void> inline_if(const Node& node) {
    const GraphRef* sides[] = {body_of(node, "then_branch"), body_of(node, "else_branch")};
    if (node.inputs.size() != 1 || node.inputs[0] == kNone)
      return fail("it has {} inputs; an If has one, its condition", node.inputs.size());
    for (const GraphRef* side : sides) {
      if (side == nullptr) return fail("it must have a then_branch and an else_branch");
      const Graph& body = model_.graphs[side->graph];
      if (!body.inputs.empty())
        return fail("its branch {} has {} inputs; a branch of an If has none", quoted(body.name),
                    body.inputs.size());
      if (body.outputs.size() != node.outputs.size())
        return fail("it has {} outputs and its branch {} has {}; they must be as many",
                    node.outputs.size(), quoted(body.name), body.outputs.size());
    }
    const ValueId condition = decide(node);
    const auto then_values = splice(model_.graphs[sides[0]->graph], "then");
    const auto else_values = splice(model_.graphs[sides[1]->graph], "else");
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNone) continue;
      graph_.add_node(
          make(Op::Merge, node, {condition, then_values[i], else_values[i]}, {node.outputs[i]}));
    }
    return {};
  }

  ValueId decide(const Node& node) {
    const std::string base = graph_.values[node.inputs[0]].name;
    const ValueId found = splicer_.add_value({.name = fmt::format("decided({})", base)});
    const ValueId condition = splicer_.add_value({.name = fmt::format("condition({})", base)});
    graph_.add_node(make(Op::Decide, node, {node.inputs[0]}, {found, condition}));
    return condition;
  }

  static Node make(Op op, const Node& from, std::vector<ValueId> inputs,
                   std::vector<ValueId> outputs) {
    const OpInfo& info = op_info(op);
    return {.op = op,
            .op_type = std::string(info.name),
            .domain = std::string(info.domain),
            .name = from.name,
            .inputs = std::move(inputs),
            .outputs = std::move(outputs)};
  }

  // The nodes and values of a body, which has no bodies any more; the values that its outputs are.
  std::vector<ValueId> splice(const Graph& body, std::string_view side) {
    std::vector<ValueId> moved;
    for (const Value& value : body.values) {
      if (is_captured(value)) {
        moved.push_back(splicer_.captured(value.name));
        continue;
      }
      Value own = value;
      own.producer = kNone;
      if (splicer_.has_name(own.name)) own.name += fmt::format("/{}", side);
      moved.push_back(splicer_.add_value(std::move(own)));
    }
    return splicer_.append(body, moved);
  }

  Model& model_;
  Graph& graph_;
  BodySplicer splicer_;
};

// Graphs that no node refers to any more go; the others keep their order.
void drop_unused_graphs(Model& model) {
  std::vector<bool> is_used(model.graphs.size(), false);
  is_used[0] = true;
  const auto each_ref = [&](const auto& visit) {
    for (Graph& graph : model.graphs)
      for (Node& node : graph.nodes)
        for (Attribute& attribute : node.attributes)
          if (auto* ref = std::get_if<GraphRef>(&attribute.value)) visit(*ref);
  };
  each_ref([&](GraphRef& ref) { is_used[ref.graph] = true; });
  std::vector<GraphId> moved(model.graphs.size());
  std::vector<Graph> kept;
  for (GraphId g = 0; g < model.graphs.size(); ++g) {
    moved[g] = static_cast<GraphId>(kept.size());
    if (is_used[g]) kept.push_back(std::move(model.graphs[g]));
  }
  model.graphs = std::move(kept);
  each_ref([&](GraphRef& ref) { ref.graph = moved[ref.graph]; });
}

}  // namespace

Expected<void> inline_branches(Model& model) {
  // A graph comes before the bodies of its nodes, which are inlined first.
  for (std::size_t g = model.graphs.size(); g-- > 0;) {
    const auto& nodes = model.graphs[g].nodes;
    if (std::ranges::none_of(nodes, is_if)) continue;
    if (auto done = Inliner(model, static_cast<GraphId>(g)).run(); !done)
      return within(quoted(model.source_name), std::move(done.error()));
  }
  drop_unused_graphs(model);
  return {};
}

}  // namespace subbyte
