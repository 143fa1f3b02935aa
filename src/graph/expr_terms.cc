// Polynomial arithmetic on sums of terms: see expr_simplify.h.
#include <algorithm>
#include <utility>

#include "graph/arithmetic.h"
#include "graph/expr_bounds.h"
#include "graph/expr_simplify.h"

namespace subbyte {
namespace {

// Long division stops here; what is left then counts as rest, which is always right.
constexpr int kMaxDivisionSteps = 256;

Interval term_interval(const ExprPool& pool, const Term& term) {
  Interval result{term.coefficient, term.coefficient};
  for (const Expr factor : term.factors) {
    result = mul_interval(result, {pool.lower(factor), pool.upper(factor)});
  }
  return result;
}

bool is_multiset_subset(const std::vector<Expr>& small, std::vector<Expr> large,
                        std::vector<Expr>* rest) {
  for (const Expr factor : small) {
    const auto found = std::find(large.begin(), large.end(), factor);
    if (found == large.end()) return false;
    large.erase(found);
  }
  *rest = std::move(large);
  return true;
}

}  // namespace

int ExprSimplifier::compare(Expr a, Expr b) const {
  if (a == b) return 0;
  const auto order = [](auto x, auto y) { return x < y ? -1 : 1; };
  // "min(S, 7)", not "min(7, S)".
  const bool is_number = pool_.kind(a) == ExprKind::constant;
  if (is_number != (pool_.kind(b) == ExprKind::constant)) return is_number ? 1 : -1;
  // Beyond the depth that is_small() allows the text does not matter and handles are good enough.
  if (!pool_.is_small(a) || !pool_.is_small(b)) {
    if (pool_.is_small(a) != pool_.is_small(b)) return pool_.is_small(a) ? -1 : 1;
    return order(a.index, b.index);
  }
  if (pool_.depth_[a.index] != pool_.depth_[b.index]) {
    return order(pool_.depth_[a.index], pool_.depth_[b.index]);
  }
  if (pool_.kind(a) != pool_.kind(b)) return order(pool_.kind(a), pool_.kind(b));
  const auto operands_a = pool_.operands(a);
  const auto operands_b = pool_.operands(b);
  for (std::size_t i = 0; i < operands_a.size(); ++i) {
    if (operands_a[i] != operands_b[i]) return compare(operands_a[i], operands_b[i]);
  }
  return order(pool_.payload(a), pool_.payload(b));
}

// Degree first, highest in front: a graded order, which polynomial division needs.
int ExprSimplifier::compare_factors(const std::vector<Expr>& a, const std::vector<Expr>& b) const {
  if (a.size() != b.size()) return a.size() > b.size() ? -1 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (const int order = compare(a[i], b[i]); order != 0) return order;
  }
  return 0;
}

// Sums lean left: ((t0 + t1) + t2), and so do products, their coefficient last. An operand on the
// right that is itself a sum (or product) was too large to be merged and is an atom.
Terms ExprSimplifier::terms(Expr e) const {
  const auto term_of = [&](Expr t) {
    Term term{.coefficient = 1, .factors = {}};
    if (pool_.kind(t) == ExprKind::constant) {
      term.coefficient = pool_.payload(t);
      return term;
    }
    while (pool_.kind(t) == ExprKind::mul) {
      const Expr right = pool_.operands(t)[1];
      if (pool_.kind(right) == ExprKind::constant) {
        term.coefficient = saturating_mul(term.coefficient, pool_.payload(right));
      } else {
        term.factors.push_back(right);
      }
      t = pool_.operands(t)[0];
    }
    // The 1 in front of a product that starts with an atom of kind mul.
    if (pool_.kind(t) != ExprKind::constant) term.factors.push_back(t);
    std::reverse(term.factors.begin(), term.factors.end());
    return term;
  };
  Terms result;
  while (pool_.kind(e) == ExprKind::add) {
    const Expr right = pool_.operands(e)[1];
    result.push_back(pool_.kind(right) == ExprKind::add ? Term{1, {right}} : term_of(right));
    e = pool_.operands(e)[0];
  }
  if (!pool_.is(e, 0)) result.push_back(term_of(e));
  std::reverse(result.begin(), result.end());
  return result;
}

Expr ExprSimplifier::make(ExprKind kind, Expr a, Expr b) {
  return pool_.intern({.kind = kind, .value = 0, .operand = {a, b}, .count = 2});
}

Expr ExprSimplifier::build_monomial(const Term& term) {
  if (term.factors.empty()) return pool_.constant(term.coefficient);
  Expr result = term.factors.front();
  std::size_t next = 1;
  const bool starts_with_product = pool_.kind(result) == ExprKind::mul;
  if (starts_with_product && (term.factors.size() > 1 || term.coefficient != 1)) {
    result = pool_.constant(1);
    next = 0;
  }
  for (; next < term.factors.size(); ++next) {
    result = make(ExprKind::mul, result, term.factors[next]);
  }
  if (term.coefficient == 1) return result;
  return make(ExprKind::mul, result, pool_.constant(term.coefficient));
}

Expr ExprSimplifier::build(const Terms& terms) {
  if (terms.empty()) return pool_.constant(0);
  Expr result = build_monomial(terms.front());
  std::size_t next = 1;
  if (terms.size() > 1 && pool_.kind(result) == ExprKind::add) {
    result = make(ExprKind::add, pool_.constant(0), result);
  }
  for (; next < terms.size(); ++next) {
    result = make(ExprKind::add, result, build_monomial(terms[next]));
  }
  return result;
}

Terms ExprSimplifier::add(const Terms& a, const Terms& b, std::int64_t factor) const {
  Terms result;
  result.reserve(a.size() + b.size());
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    const int order = i == a.size()   ? 1
                      : j == b.size() ? -1
                                      : compare_factors(a[i].factors, b[j].factors);
    Term term = order <= 0 ? a[i] : Term{0, b[j].factors};
    if (order >= 0) {
      term.coefficient = saturating_add(term.coefficient, saturating_mul(b[j].coefficient, factor));
      ++j;
    }
    if (order <= 0) ++i;
    if (term.coefficient != 0) result.push_back(std::move(term));
  }
  return result;
}

Terms ExprSimplifier::scale(const Terms& a, std::int64_t factor) const {
  return add({}, a, factor);
}

Terms ExprSimplifier::multiply(const Terms& a, const Terms& b) const {
  Terms result;
  for (const Term& x : a) {
    // A monomial times a sorted sum stays sorted, so each row merges in one go.
    Terms row;
    for (const Term& y : b) {
      Term term{saturating_mul(x.coefficient, y.coefficient), x.factors};
      term.factors.insert(term.factors.end(), y.factors.begin(), y.factors.end());
      std::sort(term.factors.begin(), term.factors.end(),
                [&](Expr p, Expr q) { return compare(p, q) < 0; });
      row.push_back(std::move(term));
    }
    result = add(result, row);
  }
  return result;
}

ExprSimplifier::Division ExprSimplifier::divide(const Terms& a, const Terms& b) const {
  Division division;
  if (b.empty()) return {.quotient = {}, .rest = a};
  const Term& leading = b.front();
  Terms left = a;
  for (int step = 0; !left.empty() && step < kMaxDivisionSteps; ++step) {
    Term term = left.front();
    Term quotient;
    const bool divides = leading.coefficient != -1 ? term.coefficient % leading.coefficient == 0
                                                   : term.coefficient != INT64_MIN;
    if (divides && is_multiset_subset(leading.factors, term.factors, &quotient.factors)) {
      quotient.coefficient = term.coefficient / leading.coefficient;
      left = add(left, multiply({quotient}, b), -1);
      division.quotient = add(division.quotient, {quotient});
    } else {
      division.rest.push_back(std::move(term));
      left.erase(left.begin());
    }
  }
  division.rest = add(division.rest, left);
  return division;
}

void ExprSimplifier::cancel(Terms& a, Terms& b) const {
  if (a.empty() || b.empty()) return;
  std::int64_t content = 0;
  std::vector<Expr> common = a.front().factors;
  for (const Terms* side : {&a, &b}) {
    for (const Term& term : *side) {
      content = gcd_int(content, term.coefficient);
      std::vector<Expr> kept;
      std::vector<Expr> remaining = term.factors;
      for (const Expr factor : common) {
        const auto found = std::find(remaining.begin(), remaining.end(), factor);
        if (found == remaining.end()) continue;
        remaining.erase(found);
        kept.push_back(factor);
      }
      common = std::move(kept);
    }
  }
  for (Terms* side : {&a, &b}) {
    for (Term& term : *side) {
      term.coefficient /= std::max<std::int64_t>(content, 1);
      std::vector<Expr> rest;
      if (is_multiset_subset(common, term.factors, &rest)) term.factors = std::move(rest);
    }
  }
}

std::int64_t ExprSimplifier::lower(const Terms& terms, int effort) const {
  std::int64_t best = 0;
  for (const Term& term : terms) {
    best = add_bounds(best, term_interval(pool_, term).lower, INT64_MIN);
  }
  if (effort == 0) return best;
  for (const Term& term : terms) {
    if (term.factors.size() != 1) continue;
    const Expr atom = term.factors.front();
    const ExprKind kind = pool_.kind(atom);
    const auto operands = pool_.operands(atom);
    // The sum with this atom replaced by `with`, everything else times `times`.
    const auto replaced = [&](Expr with, std::int64_t times, std::int64_t extra) {
      const Terms others = scale(add(terms, {term}, -1), times);
      const Terms sum = add(others, this->terms(with), term.coefficient);
      return lower(add(sum, extra == 0 ? Terms{} : Terms{{extra, {}}}), effort - 1);
    };
    const bool positive = term.coefficient > 0;
    if (kind == ExprKind::min || kind == ExprKind::max || kind == ExprKind::select) {
      const Expr first = operands[operands.size() - 2], second = operands[operands.size() - 1];
      const std::int64_t x = replaced(first, 1, 0), y = replaced(second, 1, 0);
      // c * max(a, b) with c > 0 is at least either; otherwise the term is one of the two.
      const bool at_least_both =
          (kind == ExprKind::max && positive) || (kind == ExprKind::min && !positive);
      return std::max(best, at_least_both ? std::max(x, y) : std::min(x, y));
    }
    if (kind == ExprKind::floor_div && pool_.kind(operands[1]) == ExprKind::constant) {
      // a - (d - 1) <= d * (a // d) <= a, so d times the sum is bounded by a sum without the
      // division.
      const std::int64_t d = pool_.payload(operands[1]);
      if (d <= 1 || d > INT32_MAX) continue;
      const std::int64_t bound =
          replaced(operands[0], d, positive ? saturating_mul(term.coefficient, 1 - d) : 0);
      return bound == INT64_MIN ? best : std::max(best, ceil_div_int(bound, d));
    }
  }
  return best;
}

std::int64_t ExprSimplifier::upper(const Terms& terms) const {
  const std::int64_t bound = lower(scale(terms, -1));
  return bound == INT64_MIN ? INT64_MAX : saturating_neg(bound);
}

}  // namespace subbyte
