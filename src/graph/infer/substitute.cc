#include "graph/infer/substitute.h"

#include <vector>

namespace subbyte {

Expr Substitution::or_replaced(Expr e) const {
  const auto found = replaced_.find(e);
  return found == replaced_.end() ? e : found->second;
}

Expr Substitution::of(Expr e) {
  if (const Expr other = or_replaced(e); other != e) return other;
  const std::vector<Expr> operands(exprs_.operands(e).begin(), exprs_.operands(e).end());
  if (operands.empty()) return e;
  if (const auto known = known_.find(e.index); known != known_.end()) return known->second;
  const Expr a = of(operands[0]), b = of(operands[1]);
  const Expr c = operands.size() > 2 ? of(operands[2]) : b;
  const Expr result = or_replaced(joined(exprs_.kind(e), a, b, c));
  known_.emplace(e.index, result);
  return result;
}

Expr Substitution::joined(ExprKind kind, Expr a, Expr b, Expr c) {
  switch (kind) {
    case ExprKind::add:
      return exprs_.add(a, b);
    case ExprKind::mul:
      return exprs_.mul(a, b);
    // What would be divided by 0 is not computed.
    case ExprKind::floor_div:
      return exprs_.is(b, 0) ? b : exprs_.floor_div(a, b);
    case ExprKind::mod:
      return exprs_.is(b, 0) ? b : exprs_.mod(a, b);
    case ExprKind::min:
      return exprs_.min(a, b);
    case ExprKind::max:
      return exprs_.max(a, b);
    case ExprKind::equal:
      return exprs_.equal(a, b);
    case ExprKind::less:
      return exprs_.less(a, b);
    default:
      return exprs_.select(a, b, c);
  }
}

}  // namespace subbyte
