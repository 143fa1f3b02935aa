#include "graph/infer/broadcast_sizes.h"

#include <algorithm>
#include <iterator>

namespace subbyte {

std::vector<Expr> BroadcastSizes::parts(Expr size) const {
  const auto made = parts_of_.find(size);
  return made == parts_of_.end() ? std::vector{size} : made->second;
}

Expr BroadcastSizes::of(ExprPool& exprs, Expr a, Expr b) {
  const auto of_a = parts(a), of_b = parts(b);
  std::vector<Expr> both;
  std::ranges::set_union(of_a, of_b, std::back_inserter(both));
  if (both == of_a) return a;
  if (both == of_b) return b;
  const auto [it, is_new] = sizes_.try_emplace(both);
  if (is_new) {
    it->second = exprs.select(exprs.equal(a, exprs.constant(1)), b, a);
    parts_of_.emplace(it->second, std::move(both));
  }
  return it->second;
}

bool BroadcastSizes::contains(Expr whole, Expr part) const {
  return std::ranges::includes(parts(whole), parts(part));
}

}  // namespace subbyte
