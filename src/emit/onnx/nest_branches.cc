#include "emit/onnx/nest_branches.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/text.h"
#include "graph/branches.h"
#include "graph/ops.h"
#include "import/sort_nodes.h"

namespace subbyte {
namespace {

// What stands in one graph: a node, or all Merges of one condition.
struct Unit {
  std::vector<NodeId> nodes{};
  ValueId condition = kNone;  // of Merges
};

class Nester {
 public:
  explicit Nester(const Model& model)
      : flat_(model.main()), guards_(flat_), nested_(model), by_guard_(units_by_guard()) {}

  Expected<Model> run() {
    Graph& main = nested_.main();
    main.nodes.clear();
    for (Value& value : main.values) value.producer = kNone;
    std::set<ValueId> seen;
    for (ValueId v = 0; v < flat_.values.size(); ++v)
      if (flat_.values[v].constant) seen.insert(v);
    seen.insert(flat_.inputs.begin(), flat_.inputs.end());
    SUBBYTE_TRY(std::vector<Node> nodes, level({}, seen));
    for (Node& node : nodes) nested_.main().add_node(std::move(node));
    return std::move(nested_);
  }

 private:
  std::map<Guard, std::vector<Unit>> units_by_guard() const {
    std::map<Guard, std::vector<Unit>> units;
    for (NodeId n = 0; n < flat_.nodes.size(); ++n) {
      const Node& node = flat_.nodes[n];
      if (node.op == Op::Decide) continue;
      auto& list = units[guards_.of_node(n)];
      if (node.op == Op::Merge) {
        const auto same = std::ranges::find(list, node.inputs[0], &Unit::condition);
        if (same != list.end()) {
          same->nodes.push_back(n);
          continue;
        }
      }
      list.push_back({{n}, node.op == Op::Merge ? node.inputs[0] : kNone});
    }
    return units;
  }

  // The bool that decides: what the Decide of a condition reads.
  ValueId deciding(ValueId condition) const {
    const NodeId producer = flat_.values[condition].producer;
    return producer == kNone ? condition : flat_.nodes[producer].inputs[0];
  }

  // What a unit reads and makes, that which is in its branches included.
  void reach(const Guard& guard, const Unit& unit, std::set<ValueId>& reads,
             std::set<ValueId>& makes) const {
    for (const NodeId n : unit.nodes) {
      const Node& node = flat_.nodes[n];
      const bool merges = unit.condition != kNone;
      for (std::size_t i = 0; i < node.inputs.size(); ++i)
        if (node.has_input(i))
          reads.insert(merges && i == 0 ? deciding(node.inputs[0]) : node.inputs[i]);
      makes.insert(node.outputs.begin(), node.outputs.end());
    }
    if (unit.condition == kNone) return;
    for (const bool side : {true, false}) {
      const Guard inner = with(guard, {unit.condition, side});
      const auto found = by_guard_.find(inner);
      if (found == by_guard_.end()) continue;
      for (const Unit& within : found->second) reach(inner, within, reads, makes);
    }
  }

  static Guard with(Guard guard, Branch branch) {
    guard.insert(std::ranges::lower_bound(guard, branch), branch);
    return guard;
  }

  // The nodes of one graph in order. `seen` are the values that it may read; what it makes is
  // added.
  Expected<std::vector<Node>> level(const Guard& guard, std::set<ValueId>& seen) {
    const auto found = by_guard_.find(guard);
    if (found == by_guard_.end()) return std::vector<Node>{};
    const std::vector<Unit>& units = found->second;
    std::vector<std::set<ValueId>> reads(units.size());
    std::map<ValueId, std::uint32_t> makers;
    for (std::uint32_t u = 0; u < units.size(); ++u) {
      std::set<ValueId> makes;
      reach(guard, units[u], reads[u], makes);
      for (const ValueId v : makes) makers.emplace(v, u);
    }
    std::vector<std::vector<std::uint32_t>> dependencies(units.size());
    for (std::uint32_t u = 0; u < units.size(); ++u) {
      for (const ValueId v : reads[u]) {
        const auto maker = makers.find(v);
        if (maker != makers.end() && maker->second != u) dependencies[u].push_back(maker->second);
      }
    }
    const NodeOrder order = sort_nodes(dependencies);
    if (!order.cycle.empty()) return fail("branches of Ifs need each other's results");
    std::vector<Node> nodes;
    for (const std::uint32_t u : order.order) {
      SUBBYTE_TRY(Node node, units[u].condition == kNone ? plain(units[u].nodes.front(), seen)
                                                         : nested_if(guard, units[u], seen));
      seen.insert(node.outputs.begin(), node.outputs.end());
      nodes.push_back(std::move(node));
    }
    return nodes;
  }

  Expected<Node> plain(NodeId n, const std::set<ValueId>& seen) const {
    for (const ValueId input : flat_.nodes[n].inputs) {
      if (input == kNone || seen.contains(input)) continue;
      return fail("{}: a branch of an If reads {}, which another one computes", describe(flat_, n),
                  quoted(flat_.values[input].name));
    }
    return flat_.nodes[n];
  }

  Expected<Node> nested_if(const Guard& guard, const Unit& unit, const std::set<ValueId>& seen) {
    const ValueId condition = deciding(unit.condition);
    if (!seen.contains(condition))
      return fail("the condition {} of an If is computed in a branch of another",
                  quoted(flat_.values[condition].name));
    Node node{.op_type = "If", .name = flat_.nodes[unit.nodes.front()].name, .inputs = {condition}};
    for (const NodeId n : unit.nodes) node.outputs.push_back(flat_.nodes[n].outputs[0]);
    for (const bool side : {true, false}) {
      SUBBYTE_TRY(const GraphId body,
                  branch(with(guard, {unit.condition, side}), unit, side, seen));
      node.attributes.push_back({side ? "then_branch" : "else_branch", GraphRef{body}});
    }
    return node;
  }

  Expected<GraphId> branch(const Guard& guard, const Unit& unit, bool side,
                           std::set<ValueId> seen) {
    const auto id = static_cast<GraphId>(nested_.graphs.size());
    nested_.graphs.emplace_back();
    SUBBYTE_TRY(std::vector<Node> nodes, level(guard, seen));
    Graph graph;
    graph.name = side ? "then_branch" : "else_branch";
    std::map<ValueId, ValueId> moved;
    const auto move = [&](ValueId v) {
      if (v == kNone) return v;
      const auto [at, added] = moved.try_emplace(v, static_cast<ValueId>(graph.values.size()));
      if (added) {
        const Value& value = flat_.values[v];
        graph.add_value({.name = value.name, .dtype = value.dtype, .shape = value.shape});
      }
      return at->second;
    };
    for (Node& node : nodes) {
      std::ranges::transform(node.inputs, node.inputs.begin(), move);
      std::ranges::transform(node.outputs, node.outputs.begin(), move);
      graph.add_node(std::move(node));
    }
    // An output of a branch must be computed in it, and have a name of its own.
    for (const NodeId n : unit.nodes) {
      const Node& merge = flat_.nodes[n];
      const ValueId from = merge.inputs[side ? 1 : 2];
      if (!seen.contains(from))
        return fail("a branch of {} gives {}, which another one computes", describe(flat_, n),
                    quoted(flat_.values[from].name));
      const Value& value = flat_.values[from];
      const ValueId out = graph.add_value(
          {.name = fmt::format("{}/{}", flat_.values[merge.outputs[0]].name, graph.name),
           .dtype = value.dtype,
           .shape = value.shape});
      graph.add_node(
          {.op = Op::Identity, .op_type = "Identity", .inputs = {move(from)}, .outputs = {out}});
      graph.outputs.push_back(out);
    }
    nested_.graphs[id] = std::move(graph);
    return id;
  }

  const Graph& flat_;
  Guards guards_;
  Model nested_;
  std::map<Guard, std::vector<Unit>> by_guard_;
};

}  // namespace

Expected<Model> nest_branches(const Model& model) {
  if (Guards(model.main()).any()) return Nester(model).run();
  Model plain = model;
  std::vector<Node> nodes = std::exchange(plain.main().nodes, {});
  for (Node& node : nodes) {
    if (node.op != Op::Decide) plain.main().add_node(std::move(node));
  }
  return plain;
}

}  // namespace subbyte
