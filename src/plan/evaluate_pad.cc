// Pad: an element of the result is one of the input, or of what stands around it.
#include <fmt/format.h>

#include "plan/evaluate.h"
#include "plan/index_code.h"
#include "plan/watch_code.h"

namespace subbyte {

namespace {

// What is added before and after each axis; negative where elements are taken away.
struct Pads {
  std::vector<Expr> begin, end;
};

Pads pads_of(const Graph& graph, const Node& node, std::size_t rank) {
  // Inference has refused what has none.
  const auto& amounts = *graph.values[node.inputs[1]].content;
  const auto end = amounts.begin() + static_cast<std::ptrdiff_t>(rank);
  return {{amounts.begin(), end}, {end, amounts.end()}};
}

// Where element `at` of a padded axis is in the input, for the modes that repeat it. Of an axis
// whose size is not known an element is read even where it has none: any does.
std::string repeated(std::string_view mode, StepCode& code, Scope& scope, const std::string& at,
                     Expr size, Expr begin, Expr end) {
  ExprPool& e = code.exprs();
  const Expr zero = e.constant(0), one = e.constant(1);
  if (mode == "edge") {
    return scope.let(fmt::format("u32(clamp(i32({}) - {}, 0i, {}))", at, code.signed_size(begin),
                                 code.signed_size(e.max(e.sub(size, one), zero))));
  }
  // Negative pads come first: what they leave is `count` elements from `first` on.
  const Expr first = e.max(e.sub(zero, begin), zero), before = e.max(begin, zero);
  const Expr count = e.max(e.add(e.sub(size, first), e.min(end, zero)), one);
  const Expr period = mode == "wrap" ? count : e.max(e.mul(e.constant(2), e.sub(count, one)), one);
  // 0 <= (at - before) mod period, without a negative number.
  const Expr phase = e.mod(e.sub(zero, before), period);
  std::string index = e.is(phase, 0) ? at : fmt::format("({} + {})", at, code.size(phase));
  index = scope.let(fmt::format("{} % {}", index, code.size(period)));
  if (mode == "reflect") {
    index = scope.let(fmt::format("min({0}, {1} - {0})", index, code.size(period)));
  }
  return e.is(first, 0) ? index : scope.let(fmt::format("{} + {}", index, code.size(first)));
}

}  // namespace

Expected<Typed> element_pad(Evaluator& evaluator, const Element& element) {
  ExprPool& exprs = evaluator.code().exprs();
  const auto& in = evaluator.shape(element.node.inputs[0]);
  const auto& out = evaluator.shape(element.value);
  const Pads pads = pads_of(evaluator.graph(), element.node, in.size());
  std::vector<bool> changed;
  for (std::size_t i = 0; i < in.size(); ++i) {
    changed.push_back(!exprs.is(pads.begin[i], 0) || !exprs.is(pads.end[i], 0));
  }
  const auto groups = group_axes(exprs, in, out, changed);
  const auto at = evaluator.coordinates(element, sizes_after(groups));
  const std::string_view mode = element.node.string_or("mode", "");
  Frame from;
  std::vector<std::string> inside;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const AxisGroup& group = groups[g];
    std::string index = at[g];
    if (group.changed && mode != "constant") {
      index = repeated(mode, evaluator.code(), evaluator.scope(), index, group.in,
                       pads.begin[group.axis], pads.end[group.axis]);
    } else if (group.changed) {
      const Expr begin = pads.begin[group.axis];
      if (!exprs.is(begin, 0)) {
        const auto known = exprs.value(begin);
        index = evaluator.scope().let(
            known && *known < 0 ? fmt::format("{} + {}", index, u32_literal(-*known))
                                : fmt::format("{} - {}", index, evaluator.code().size(begin)));
      }
      // Before the axis is far beyond it, modulo 2^32.
      if (exprs.upper(begin) > 0 || exprs.upper(pads.end[group.axis]) > 0) {
        inside.push_back(fmt::format("{} < {}", index, evaluator.code().size(group.in)));
      }
    }
    from.coordinates.push_back({index, group.in});
  }
  const std::string all =
      inside.empty() ? "" : evaluator.scope().let(fmt::format("{}", fmt::join(inside, " && ")));
  if (!all.empty()) {
    for (std::size_t g = 0; g < groups.size(); ++g) {
      if (groups[g].changed) {
        from.coordinates[g].name =
            evaluator.scope().let(fmt::format("select(0u, {}, {})", from.coordinates[g].name, all));
      }
    }
  }
  SUBBYTE_TRY(const Typed x, evaluator.value(element.node.inputs[0], from));
  if (all.empty()) return x;
  SUBBYTE_TRY(const Typed around, evaluator.value(element.node.inputs[2], Frame{}));
  evaluator.forget_watches();
  return Typed{fmt::format("select({}, {}, {})", around.text, x.text, all), x.type,
               selected_watch(all, x.watch, around.watch)};
}

}  // namespace subbyte
