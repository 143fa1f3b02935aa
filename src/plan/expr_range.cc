#include "plan/expr_range.h"

#include "plan/integer_ranges.h"

namespace subbyte {

namespace {

// INT64_MIN and INT64_MAX say that no bound is known.
double bound(std::int64_t value) {
  if (value == INT64_MIN) return -std::numeric_limits<double>::infinity();
  if (value == INT64_MAX) return std::numeric_limits<double>::infinity();
  return static_cast<double>(value);
}

}  // namespace

ValueRange ExprRanges::of(Expr e) {
  if (const auto it = known_.find(e); it != known_.end()) return it->second;
  const ValueRange range = meet(computed(e), {bound(exprs_.lower(e)), bound(exprs_.upper(e))});
  known_.emplace(e, range);
  return range;
}

ValueRange ExprRanges::computed(Expr e) {
  const auto payload = static_cast<std::size_t>(exprs_.payload(e));
  const auto operand = [&](std::size_t i) { return of(exprs_.operands(e)[i]); };
  switch (exprs_.kind(e)) {
    case ExprKind::constant: {
      const auto value = static_cast<double>(exprs_.payload(e));
      return {value, value};
    }
    case ExprKind::symbol: {
      const Symbol& symbol = exprs_.symbols()[payload];
      if (symbol.source.kind == SymbolSource::Kind::input_element) return {};
      return {0, static_cast<double>(kMostElements)};
    }
    case ExprKind::add:
      return add(operand(0), operand(1));
    case ExprKind::mul:
      return multiply(operand(0), operand(1));
    case ExprKind::floor_div:
      return floor_divide(operand(0), operand(1));
    case ExprKind::mod:
      if (operand(1).least >= 1) return remainder(operand(0), operand(1), false);
      return {-operand(1).magnitude(), operand(1).magnitude()};
    case ExprKind::min:
      return minimum(operand(0), operand(1));
    case ExprKind::max:
      return maximum(operand(0), operand(1));
    case ExprKind::equal:
    case ExprKind::less:
      return {0, 1};
    case ExprKind::select:
      return join(operand(1), operand(2));
  }
  return {};
}

}  // namespace subbyte
