// The sizes that dimensions broadcast to, where only a run can tell which of them are 1.
#pragma once

#include <map>
#include <vector>

#include "graph/expr.h"

namespace subbyte {

// What several sizes broadcast to is one expression, whatever the order and the number of steps in
// which they met: broadcast(broadcast(a, b), a) is broadcast(b, a).
class BroadcastSizes {
 public:
  // a == 1 ? b : a, for sizes that are equal or one of them 1.
  Expr of(ExprPool& exprs, Expr a, Expr b);
  // Whether `part` is among the sizes that broadcast to `whole`.
  bool contains(Expr whole, Expr part) const;

 private:
  std::vector<Expr> parts(Expr size) const;

  std::map<std::vector<Expr>, Expr> sizes_;  // by what broadcasts to them, sorted
  std::map<Expr, std::vector<Expr>> parts_of_;
};

}  // namespace subbyte
