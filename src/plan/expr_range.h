// Ranges of expressions under what holds on a GPU: no dimension exceeds kMostElements.
#pragma once

#include <map>

#include "graph/expr.h"
#include "plan/value_range.h"

namespace subbyte {

class ExprRanges {
 public:
  explicit ExprRanges(const ExprPool& exprs) : exprs_(exprs) {}
  ValueRange of(Expr e);

 private:
  ValueRange computed(Expr e);

  const ExprPool& exprs_;
  std::map<Expr, ValueRange> known_;
};

}  // namespace subbyte
