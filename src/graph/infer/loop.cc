// A Loop or Scan whose body stands in the same graph (graph/loops.h).
#include <algorithm>
#include <set>

#include "base/text.h"
#include "graph/infer/node_infer.h"
#include "graph/infer/substitute.h"
#include "graph/loops.h"
#include "graph/ops.h"

namespace subbyte {

// States are what they are before the first turn; the Leave sees to it that they stay of that
// shape. The turn is known when there is a bound of how many there are.
Expected<void> infer_enter(NodeInfer& c) {
  for (std::size_t i = kFirstState; i < c.node.inputs.size(); ++i) {
    const Shape* shape = c.shape(i);
    c.set(i - kFirstState, c.in(i).dtype,
          shape == nullptr ? std::nullopt : std::optional<Shape>(*shape));
  }
  const std::size_t turn = c.node.outputs.size() - 1;
  c.set(turn, DType::int64, Shape{});
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    if (!c.has(i) || c.shape(i) == nullptr) continue;
    SUBBYTE_CHECK_OK(
        c.require(c.exprs.equal(c.exprs.product(*c.shape(i)), c.one()),
                  fmt::format("its {} has shape {}; it must have one element",
                              i == 0 ? "number of turns" : "condition", c.text(*c.shape(i)))));
  }
  const auto most = most_turns(c.exprs, c.graph(), c.node);
  if (!most) return {};
  const std::string& name = c.graph().values[c.node.outputs[turn]].name;
  // It stays a symbol where there is no turn, or one.
  const std::int64_t upper =
      most->is_bounded ? std::max<std::int64_t>(c.exprs.upper(most->turns), 1) : INT32_MAX;
  c.set(turn, DType::int64, Shape{}, Content{c.result_symbol(name, 0, upper)});
  return {};
}

namespace {

Expected<void> infer_state(NodeInfer& c, const Node& enter, std::size_t k) {
  const Value& before = c.graph().values[enter.outputs[k]];
  const Value& next = c.in(kFirstNext + k);
  c.set(k, before.dtype, before.shape);
  if (next.dtype != DType::undefined && before.dtype != DType::undefined &&
      next.dtype != before.dtype)
    return fail(
        "what it carries from turn to turn, {}, is {} before the first turn and {} after it",
        quoted(before.name), dtype_name(before.dtype), dtype_name(next.dtype));
  if (!before.shape || !next.shape) return {};
  const std::string message = fmt::format(
      "what it carries from turn to turn, {}, has shape {} before a turn and {} after it; it must "
      "stay the same. Turns that are known are written out, at most 64: fix what says how many "
      "there are "
      "with --dim or --input",
      quoted(before.name), c.text(*before.shape), c.text(*next.shape));
  if (before.shape->size() != next.shape->size()) return fail("{}", message);
  for (std::size_t i = 0; i < before.shape->size(); ++i)
    SUBBYTE_CHECK_OK(c.require(c.exprs.equal((*before.shape)[i], (*next.shape)[i]), message));
  return {};
}

}  // namespace

namespace {

// The symbols in an expression that a run finds out.
void add_found(const ExprPool& exprs, Expr e, std::set<Expr>& symbols) {
  if (exprs.kind(e) == ExprKind::symbol) {
    const Symbol& symbol = exprs.symbols()[static_cast<std::size_t>(exprs.payload(e))];
    if (symbol.source.kind == SymbolSource::Kind::result) symbols.insert(e);
  }
  for (const Expr operand : exprs.operands(e)) add_found(exprs, operand, symbols);
}

// Whether a size is found out anew in each turn: by a node of the body, since no other value has
// what it is made of.
bool is_found_in_turn(const NodeInfer& c, NodeId enter, Expr size) {
  std::set<Expr> wanted, outside;
  add_found(c.exprs, size, wanted);
  if (wanted.empty()) return false;
  const Loop loop = find_loop(c.graph(), enter);
  for (NodeId n = 0; n < c.graph().nodes.size(); ++n) {
    if (loop.body[n]) continue;
    for (const ValueId output : c.graph().nodes[n].outputs) {
      if (output == kNone) continue;
      const Value& value = c.graph().values[output];
      for (const auto* list : {&value.shape, &value.content})
        if (*list)
          for (const Expr e : **list) add_found(c.exprs, e, outside);
    }
  }
  return !std::ranges::includes(outside, wanted);
}

// The sizes of what is stacked: in any turn those of the first.
Expected<Shape> part_of_stack(NodeInfer& c, std::size_t k, NodeId enter, Expr turn) {
  Substitution first(c.exprs, {{turn, c.zero()}});
  Shape shape;
  for (const Expr size : *c.shape(kFirstNext + k)) {
    const Expr wanted = first.of(size);
    if (is_found_in_turn(c, enter, wanted))
      return fail_as(ErrorKind::unsupported,
                     "its output {} stacks, or joins, what has size {} in a turn, which each turn "
                     "finds out anew; it must be the same in all",
                     k, c.exprs.text(size));
    if (wanted != size) {
      SUBBYTE_CHECK_OK(c.require(
          c.exprs.equal(size, wanted),
          fmt::format("its output {} stacks what has size {} in a turn and {} in the first; it "
                      "must be the same in all",
                      k, c.exprs.text(size), c.exprs.text(wanted))));
    }
    shape.push_back(wanted);
  }
  return shape;
}

}  // namespace

Expected<void> infer_leave(NodeInfer& c) {
  const NodeId producer = c.in(0).producer;
  if (producer == kNone || c.graph().nodes[producer].op != Op::Enter)
    return fail("its first input must be the turn of an Enter");
  const Node& enter = c.graph().nodes[producer];
  const std::size_t states = states_of_leave(c.node);
  if (states + 1 != enter.outputs.size())
    return fail("it has {} states and its Enter {}", states, enter.outputs.size() - 1);
  for (std::size_t k = 0; k < states; ++k) SUBBYTE_CHECK_OK(infer_state(c, enter, k));
  const auto most = most_turns(c.exprs, c.graph(), enter);
  const Content* turn = c.content(0);
  const Content* goes_on = c.content(1);
  for (std::size_t k = states; k < c.node.outputs.size(); ++k) {
    if (!c.has(kFirstNext + k)) return fail("its input {} is missing", kFirstNext + k);
    c.set(k, c.in(kFirstNext + k).dtype, std::nullopt);
    const Shape* part = c.shape(kFirstNext + k);
    if (part == nullptr || turn == nullptr || !most || (c.has(1) && goes_on == nullptr)) continue;
    const bool all = !c.has(1) || c.exprs.lower(goes_on->front()) > 0;
    Shape shape{all && most->is_bounded ? most->turns : turn->front()};
    SUBBYTE_TRY(const Shape parts, part_of_stack(c, k, producer, turn->front()));
    shape.insert(shape.end(), parts.begin(), parts.end());
    c.set(k, c.in(kFirstNext + k).dtype, std::move(shape));
  }
  return {};
}

}  // namespace subbyte
