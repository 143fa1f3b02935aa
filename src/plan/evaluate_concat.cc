// Concat: an element of the result is one of a part, which one its place along the axis decides.
#include <fmt/format.h>

#include "graph/node_form.h"
#include "plan/evaluate.h"
#include "plan/index_code.h"
#include "plan/watch_code.h"

namespace subbyte {

Expected<Typed> element_concat(Evaluator& evaluator, const Element& element) {
  StepCode& code = evaluator.code();
  Scope& scope = evaluator.scope();
  ExprPool& exprs = code.exprs();
  const auto& shape = evaluator.shape(element.value);
  const std::size_t axis = axis_of(element.node);
  const Expr inner = exprs.product(std::span(shape).subspan(axis + 1));
  const Expr outer = exprs.product(std::span(shape).first(axis));
  const std::string at = evaluator.position(element);
  const std::string column =
      exprs.is(inner, 1) ? "0u" : scope.let(fmt::format("{} % {}", at, code.divisor(inner)));
  const std::string rest =
      exprs.is(inner, 1) ? at : scope.let(fmt::format("{} / {}", at, code.divisor(inner)));
  const std::string along = scope.let(fmt::format("{} % {}", rest, code.divisor(shape[axis])));
  const std::string before =
      exprs.is(outer, 1) ? "0u"
                         : scope.let(fmt::format("{} / {}", rest, code.divisor(shape[axis])));
  std::optional<Typed> result;
  Expr start = exprs.constant(0);
  for (const ValueId input : element.node.inputs) {
    const Expr size = evaluator.shape(input)[axis];
    const std::string local =
        exprs.is(start, 0) ? along : scope.let(fmt::format("{} - {}", along, code.size(start)));
    SUBBYTE_TRY(const Typed part,
                evaluator.value(input, Frame{{{before, outer}, {local, size}, {column, inner}}}));
    if (result) {
      const std::string is_part = fmt::format("{} >= {}", along, code.size(start));
      result->text = scope.let(fmt::format("select({}, {}, {})", result->text, part.text, is_part));
      result->watch = selected_watch(is_part, part.watch, result->watch);
    } else {
      result = part;
    }
    start = exprs.add(start, size);
  }
  // Beside a part, whatever is read in its place.
  evaluator.forget_watches();
  return *result;
}

}  // namespace subbyte
