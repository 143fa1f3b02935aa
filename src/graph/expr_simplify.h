// How ExprPool brings expressions into canonical form: a sum of terms, each a coefficient times a
// product of atoms, in one fixed order. Atoms are symbols and what polynomial arithmetic does not
// look into: floor_div, mod, min, max, equal, less, select. Internal to the expression files.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "graph/expr.h"

namespace subbyte {

struct Term {
  std::int64_t coefficient = 0;
  std::vector<Expr> factors;  // sorted; a power repeats its atom; empty for the constant term
};
// Sorted by degree, highest first, then by factors; no two with the same factors, no zero
// coefficient. So the constant comes last. Empty is 0.
using Terms = std::vector<Term>;

// Lower bounds of a sum look into this many nested min, max, select and floor_div.
inline constexpr int kBoundEffort = 4;

class ExprSimplifier {
 public:
  explicit ExprSimplifier(ExprPool& pool) : pool_(pool) {}

  Terms terms(Expr e) const;
  Expr build(const Terms& terms);

  Terms add(const Terms& a, const Terms& b, std::int64_t factor = 1) const;  // a + factor * b
  Terms multiply(const Terms& a, const Terms& b) const;
  Terms scale(const Terms& a, std::int64_t factor) const;
  // quotient and rest with a = quotient * b + rest, by polynomial long division.
  struct Division {
    Terms quotient, rest;
  };
  Division divide(const Terms& a, const Terms& b) const;
  // Divides both by what all their terms have in common.
  void cancel(Terms& a, Terms& b) const;

  Expr sum(Expr a, Expr b, std::int64_t factor);
  Expr product(Expr a, Expr b);
  Expr floor_div(Expr a, Expr b);
  Expr mod(Expr a, Expr b);
  Expr extreme(ExprKind kind, Expr a, Expr b);  // min or max
  Expr equal(Expr a, Expr b);
  Expr less(Expr a, Expr b);
  Expr select(Expr condition, Expr a, Expr b);

  // Bounds of a sum, sharper than those of its terms taken one by one.
  std::int64_t lower(const Terms& terms, int effort = kBoundEffort) const;
  std::int64_t upper(const Terms& terms) const;

 private:
  // A total order that does not depend on when an expression was made, so that a text read back
  // into another pool gives the same text.
  int compare(Expr a, Expr b) const;
  int compare_factors(const std::vector<Expr>& a, const std::vector<Expr>& b) const;
  bool is_boolean(Expr e) const { return pool_.lower(e) >= 0 && pool_.upper(e) <= 1; }
  Expr make(ExprKind kind, Expr a, Expr b);
  Expr build_monomial(const Term& term);
  void split_signs(const Terms& difference, Terms& negative, Terms& positive) const;
  std::optional<Expr> equal_to_extreme(Expr x, Expr extreme);
  void leaves(ExprKind kind, Expr e, std::vector<Expr>& out) const;

  ExprPool& pool_;
};

}  // namespace subbyte
