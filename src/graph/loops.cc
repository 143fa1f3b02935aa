#include "graph/loops.h"

#include <algorithm>

#include "base/text.h"
#include "graph/branches.h"
#include "graph/ops.h"

namespace subbyte {

Loop find_loop(const Graph& graph, NodeId enter) {
  Loop loop{.enter = enter, .body = std::vector<bool>(graph.nodes.size(), false)};
  const ValueId turn = graph.nodes[enter].outputs.back();
  std::vector<bool> varies(graph.values.size(), false);
  for (const ValueId output : graph.nodes[enter].outputs)
    if (output != kNone) varies[output] = true;
  for (NodeId n = enter + 1; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    loop.body[n] = std::ranges::any_of(
        node.inputs, [&](ValueId input) { return input != kNone && varies[input]; });
    if (!loop.body[n]) continue;
    if (node.op == Op::Leave && node.inputs[0] == turn) {
      loop.leave = n;
      break;
    }
    for (const ValueId output : node.outputs)
      if (output != kNone) varies[output] = true;
  }
  return loop;
}

bool is_onnx_loop(const Node& node) {
  return node.op == Op::Unknown && node.domain.empty() && node.find("body") != nullptr &&
         (node.op_type == "Loop" || node.op_type == "Scan");
}

Expected<std::vector<std::int64_t>> scan_list(const Node& node, std::string_view name,
                                              std::size_t count) {
  const auto given = node.ints(name);
  if (!given || given->empty()) return std::vector<std::int64_t>(count, 0);
  if (given->size() != count)
    return fail("its attribute {} has {} integers, and there are {} for which it must have one",
                quoted(name), given->size(), count);
  return std::vector<std::int64_t>(given->begin(), given->end());
}

std::vector<Loop> find_loops(const Graph& graph) {
  std::vector<Loop> loops;
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    if (graph.nodes[n].op != Op::Enter) continue;
    Loop loop = find_loop(graph, n);
    // One that is not left is not run: nothing reads it.
    if (loop.leave != kNone) loops.push_back(std::move(loop));
  }
  return loops;
}

void gather_loops(Graph& graph) {
  const std::size_t count = find_loops(graph).size();
  for (std::size_t l = 0; l < count; ++l) {
    const Loop loop = find_loops(graph)[l];
    std::vector<Node> nodes = std::move(graph.nodes);
    graph.nodes.clear();
    std::vector<NodeId> order;
    const auto take = [&](NodeId first, NodeId end, auto&& wanted) {
      for (NodeId n = first; n < end; ++n)
        if (wanted(n)) order.push_back(n);
    };
    const auto all = [](NodeId) { return true; };
    const auto is_inside = [&](NodeId n) { return n == loop.enter || loop.body[n]; };
    take(0, loop.enter, all);
    take(loop.enter, loop.leave + 1, [&](NodeId n) { return !is_inside(n); });
    take(loop.enter, loop.leave + 1, is_inside);
    take(loop.leave + 1, static_cast<NodeId>(nodes.size()), all);
    for (const NodeId n : order) graph.add_node(std::move(nodes[n]));
  }
}

std::size_t states_of_leave(const Node& leave) {
  const std::size_t most = std::min(
      leave.outputs.size(), leave.inputs.size() - std::min(kFirstNext, leave.inputs.size()));
  return static_cast<std::size_t>(
      std::clamp<std::int64_t>(leave.int_or("states", 0), 0, static_cast<std::int64_t>(most)));
}

std::optional<MostTurns> most_turns(ExprPool& exprs, const Graph& graph, const Node& enter) {
  const auto element = [&](std::size_t i) -> std::optional<Expr> {
    const auto& content = graph.values[enter.inputs[i]].content;
    if (!content || content->size() != 1) return std::nullopt;
    return content->front();
  };
  MostTurns most{exprs.constant(INT32_MAX)};
  if (enter.has_input(0)) {
    const auto turns = element(0);
    if (!turns) return std::nullopt;
    most.is_bounded = !exprs.value(*turns) || *exprs.value(*turns) < INT32_MAX;
    if (most.is_bounded) most.turns = exprs.max(*turns, exprs.constant(0));
  }
  if (enter.has_input(1)) {
    const auto begins = element(1);
    if (!begins) return std::nullopt;
    most.turns = exprs.select(branch_taken(exprs, *begins, true), most.turns, exprs.constant(0));
    if (exprs.value(*begins) == 0) most.is_bounded = true;
  }
  return most;
}

}  // namespace subbyte
