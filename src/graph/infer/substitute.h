// Expressions in which others stand in the place of some.
#pragma once

#include <map>
#include <unordered_map>

#include "graph/expr.h"

namespace subbyte {

class Substitution {
 public:
  // Each key is replaced by its value, wherever it stands, also where it is what comes of that.
  Substitution(ExprPool& exprs, std::map<Expr, Expr> replaced)
      : exprs_(exprs), replaced_(std::move(replaced)) {}

  Expr of(Expr e);

 private:
  Expr joined(ExprKind kind, Expr a, Expr b, Expr c);
  Expr or_replaced(Expr e) const;

  ExprPool& exprs_;
  std::map<Expr, Expr> replaced_;
  std::unordered_map<std::uint32_t, Expr> known_;
};

}  // namespace subbyte
