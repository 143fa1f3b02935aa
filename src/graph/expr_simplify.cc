// What each constructor of ExprPool simplifies: see expr_simplify.h.
#include "graph/expr_simplify.h"

#include <algorithm>
#include <utility>

#include "graph/arithmetic.h"

namespace subbyte {
namespace {

// Larger polynomials are not multiplied out or merged: the operand becomes an atom. That loses a
// canonical form that nobody needs and keeps hostile models from growing exponentially.
constexpr std::size_t kMaxTerms = 64;
constexpr std::size_t kMaxDegree = 32;
constexpr std::size_t kMaxLeaves = 8;

std::size_t degree(const Terms& terms) { return terms.empty() ? 0 : terms.front().factors.size(); }

std::int64_t constant_of(const Terms& terms) {
  return !terms.empty() && terms.back().factors.empty() ? terms.back().coefficient : 0;
}

Terms without_constant(Terms terms) {
  if (!terms.empty() && terms.back().factors.empty()) terms.pop_back();
  return terms;
}

Terms with_constant(Terms terms, std::int64_t constant) {
  terms = without_constant(std::move(terms));
  if (constant != 0) terms.push_back({constant, {}});
  return terms;
}

std::int64_t content_of(const Terms& terms) {
  std::int64_t content = 0;
  for (const Term& term : terms) content = gcd_int(content, term.coefficient);
  return content;
}

Terms divide_coefficients(Terms terms, std::int64_t divisor) {
  for (Term& term : terms) term.coefficient /= divisor;
  return terms;
}

// terms = divisor * quotient + rest, coefficient by coefficient, with the constant of rest in
// [0, divisor) and no other coefficient of it a multiple of the divisor.
void divide_by_constant(const Terms& terms, std::int64_t divisor, Terms& quotient, Terms& rest) {
  for (const Term& term : terms) {
    if (term.coefficient % divisor == 0) {
      quotient.push_back({term.coefficient / divisor, term.factors});
    } else if (term.factors.empty()) {
      const std::int64_t whole = floor_div_int(term.coefficient, divisor);
      if (whole != 0) quotient.push_back({whole, {}});
      rest.push_back({mod_int(term.coefficient, divisor), {}});
    } else {
      rest.push_back(term);
    }
  }
}

}  // namespace

Expr ExprSimplifier::sum(Expr a, Expr b, std::int64_t factor) {
  if (a == b && factor == -1) return pool_.constant(0);
  Terms x = terms(a);
  Terms y = terms(b);
  if (x.size() + y.size() > kMaxTerms) {
    if (x.size() >= y.size()) {
      x = {{1, {a}}};
    } else {
      y = {{1, {b}}};
    }
  }
  return build(add(x, y, factor));
}

Expr ExprSimplifier::product(Expr a, Expr b) {
  Terms x = terms(a);
  Terms y = terms(b);
  if (x.empty() || y.empty()) return pool_.constant(0);
  const bool is_scale = (x.size() == 1 && degree(x) == 0) || (y.size() == 1 && degree(y) == 0);
  if (!is_scale && (x.size() * y.size() > kMaxTerms || degree(x) + degree(y) > kMaxDegree)) {
    if (x.size() > 1 || degree(x) >= degree(y)) x = {{1, {a}}};
    if (y.size() > 1 || degree(y) > degree(x)) y = {{1, {b}}};
  }
  return build(multiply(x, y));
}

// a // b rests on b != 0, and so on every factor of b being other than 0: a common monomial
// cancels, B*S*384 // (B*384) is S. Where B is a dimension that may be 0 the division has no
// meaning of its own (ONNX leaves a Reshape of an empty tensor to -1 undefined), and the cancelled
// value is the one that is right for every other B; the tensor is empty in any case.
Expr ExprSimplifier::floor_div(Expr a, Expr b) {
  const auto divisor = pool_.value(b);
  if (const auto dividend = pool_.value(a); dividend && divisor && *divisor != 0) {
    return pool_.constant(floor_div_int(*dividend, *divisor));
  }
  if (divisor && (*divisor == 0 || *divisor == INT64_MIN)) return make(ExprKind::floor_div, a, b);
  if (divisor == 1) return a;
  if (a == b) return pool_.constant(1);
  Terms x = terms(a);
  Terms y = terms(b);
  if (x.empty()) return pool_.constant(0);
  if (y.front().coefficient < 0) {
    x = scale(x, -1);
    y = scale(y, -1);
  }
  if (!divisor) {
    Division division = divide(x, y);
    cancel(division.rest, y);
    const Terms& rest = division.rest;
    const Expr quotient = build(division.quotient);
    if (rest.empty()) return quotient;
    if (lower(y) >= 0 && lower(rest) >= 0 && lower(add(y, rest, -1)) >= 1) return quotient;
    const Expr over = build(y);
    if (pool_.value(over)) return sum(quotient, floor_div(build(rest), over), 1);
    return sum(quotient, make(ExprKind::floor_div, build(rest), over), 1);
  }

  std::int64_t c = y.front().coefficient;
  Terms quotient, rest;
  divide_by_constant(x, c, quotient, rest);
  // floor((g*p + k) / (g*d)) = floor((p + floor(k / g)) / d).
  const std::int64_t g = gcd_int(c, content_of(without_constant(rest)));
  const std::int64_t constant = constant_of(rest) / g;
  rest = with_constant(divide_coefficients(without_constant(rest), g), constant);
  c /= g;
  if (c == 1) return build(add(quotient, rest));
  const std::int64_t low = lower(rest), high = upper(rest);
  if (low != INT64_MIN && high != INT64_MAX && floor_div_int(low, c) == floor_div_int(high, c)) {
    const std::int64_t whole = floor_div_int(low, c);
    return build(whole == 0 ? quotient : add(quotient, {{whole, {}}}));
  }
  // (x // d + k) // c = (x + k*d) // (d*c).
  const Terms head = without_constant(rest);
  if (head.size() == 1 && head.front().coefficient == 1 && head.front().factors.size() == 1 &&
      pool_.kind(head.front().factors.front()) == ExprKind::floor_div) {
    const auto operands = pool_.operands(head.front().factors.front());
    const Expr inner = operands[0];
    const auto d = pool_.value(operands[1]);
    std::int64_t both = 0, shift = 0;
    if (d && *d > 0 && !__builtin_mul_overflow(*d, c, &both) &&
        !__builtin_mul_overflow(*d, constant, &shift)) {
      const Expr nested = floor_div(sum(inner, pool_.constant(shift), 1), pool_.constant(both));
      return sum(build(quotient), nested, 1);
    }
  }
  return sum(build(quotient), make(ExprKind::floor_div, build(rest), pool_.constant(c)), 1);
}

Expr ExprSimplifier::mod(Expr a, Expr b) {
  const auto divisor = pool_.value(b);
  if (const auto dividend = pool_.value(a); dividend && divisor && *divisor != 0) {
    return pool_.constant(mod_int(*dividend, *divisor));
  }
  if (divisor && (*divisor == 0 || *divisor == INT64_MIN)) return make(ExprKind::mod, a, b);
  if (a == b || (divisor && (*divisor == 1 || *divisor == -1))) return pool_.constant(0);
  const Terms x = terms(a);
  if (!divisor) {
    const Terms y = terms(b);
    const Terms rest = divide(x, y).rest;
    if (rest.empty()) return pool_.constant(0);
    if (lower(rest) >= 0 && lower(add(y, rest, -1)) >= 1) return build(rest);
    return make(ExprKind::mod, build(rest), b);
  }
  if (*divisor < 0) {
    const Expr positive = mod(build(scale(x, -1)), pool_.constant(-*divisor));
    return sum(pool_.constant(0), positive, -1);
  }
  std::int64_t c = *divisor;
  Terms quotient, rest;
  divide_by_constant(x, c, quotient, rest);
  if (rest.empty()) return pool_.constant(0);
  const std::int64_t low = lower(rest), high = upper(rest);
  if (low != INT64_MIN && high != INT64_MAX && floor_div_int(low, c) == floor_div_int(high, c)) {
    const std::int64_t whole = saturating_mul(floor_div_int(low, c), c);
    return build(whole == 0 ? rest : add(rest, {{whole, {}}}, -1));
  }
  const std::int64_t g = gcd_int(c, content_of(rest));
  const Expr reduced =
      make(ExprKind::mod, build(divide_coefficients(rest, g)), pool_.constant(c / g));
  return product(reduced, pool_.constant(g));
}

void ExprSimplifier::leaves(ExprKind kind, Expr e, std::vector<Expr>& out) const {
  while (pool_.kind(e) == kind) {
    out.push_back(pool_.operands(e)[1]);
    e = pool_.operands(e)[0];
  }
  out.push_back(e);
}

Expr ExprSimplifier::extreme(ExprKind kind, Expr a, Expr b) {
  if (a == b) return a;
  std::vector<Expr> all;
  leaves(kind, a, all);
  const std::size_t from_a = all.size();
  leaves(kind, b, all);
  if (all.size() > kMaxLeaves) {
    return from_a * 2 <= all.size() ? make(kind, a, b) : make(kind, b, a);
  }
  const auto order = [&](Expr x, Expr y) { return compare(x, y) < 0; };
  std::sort(all.begin(), all.end(), order);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  // Drop each leaf that another one always beats.
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < all.size(); ++j) {
      if (i == j) continue;
      const Terms x = terms(all[i]), y = terms(all[j]);
      if (lower(kind == ExprKind::max ? add(y, x, -1) : add(x, y, -1)) < 0) continue;
      all.erase(all.begin() + static_cast<std::ptrdiff_t>(i--));
      break;
    }
  }
  Expr result = all.front();
  for (std::size_t i = 1; i < all.size(); ++i) result = make(kind, result, all[i]);
  return result;
}

void ExprSimplifier::split_signs(const Terms& difference, Terms& negative, Terms& positive) const {
  for (const Term& term : difference) {
    if (term.coefficient > 0) {
      positive.push_back(term);
    } else {
      negative.push_back({saturating_neg(term.coefficient), term.factors});
    }
  }
}

Expr ExprSimplifier::equal(Expr a, Expr b) {
  Terms difference = add(terms(a), terms(b), -1);
  if (difference.empty()) return pool_.constant(1);
  if (lower(difference) > 0 || upper(difference) < 0) return pool_.constant(0);
  const auto content = std::max<std::int64_t>(content_of(without_constant(difference)), 1);
  if (constant_of(difference) % content != 0) return pool_.constant(0);
  difference = divide_coefficients(std::move(difference), content);
  if (difference.front().coefficient < 0) difference = scale(difference, -1);

  const Terms head = without_constant(difference);
  const std::int64_t target = saturating_neg(constant_of(difference));
  const Expr left = build(head);
  if (is_boolean(left)) {
    if (target == 1) return left;
    const ExprKind kind = pool_.kind(left);
    if (kind == ExprKind::less) {
      const Expr low = pool_.operands(left)[0], high = pool_.operands(left)[1];
      return less(high, sum(low, pool_.constant(1), 1));
    }
    if (kind == ExprKind::equal) {
      const Expr inner = pool_.operands(left)[0], against = pool_.operands(left)[1];
      if (pool_.is(against, 0) && is_boolean(inner)) return inner;
    }
  }
  Terms negative, positive;
  split_signs(head, negative, positive);
  const Expr x = build(positive), y = build(with_constant(negative, target));
  if (const auto order = equal_to_extreme(x, y)) return *order;
  if (const auto order = equal_to_extreme(y, x)) return *order;
  return make(ExprKind::equal, x, y);
}

// x == min(x, rest) is x <= rest, and x == max(x, rest) is rest <= x.
std::optional<Expr> ExprSimplifier::equal_to_extreme(Expr x, Expr extreme) {
  const ExprKind kind = pool_.kind(extreme);
  if (kind != ExprKind::min && kind != ExprKind::max) return std::nullopt;
  std::vector<Expr> rest;
  leaves(kind, extreme, rest);
  if (std::erase(rest, x) == 0 || rest.empty()) return std::nullopt;
  Expr other = rest.front();
  for (const Expr leaf : rest) other = this->extreme(kind, other, leaf);
  const Expr one = pool_.constant(1);
  return kind == ExprKind::min ? less(x, sum(other, one, 1)) : less(other, sum(x, one, 1));
}

Expr ExprSimplifier::less(Expr a, Expr b) {
  Terms difference = add(terms(b), terms(a), -1);
  if (lower(difference) > 0) return pool_.constant(1);
  if (upper(difference) <= 0) return pool_.constant(0);
  // g*p + k > 0 means p - floor(-k / g) > 0.
  const Terms head = without_constant(difference);
  const auto g = std::max<std::int64_t>(content_of(head), 1);
  const std::int64_t k = saturating_neg(floor_div_int(saturating_neg(constant_of(difference)), g));
  difference = with_constant(divide_coefficients(head, g), k);
  if (k == 0 || k == 1) {
    const Expr up = build(without_constant(difference));
    if (k == 0 && is_boolean(up)) return up;
    const Expr down = build(scale(without_constant(difference), -1));
    if (k == 1 && is_boolean(down)) return equal(down, pool_.constant(0));
  }
  Terms negative, positive;
  split_signs(difference, negative, positive);
  return make(ExprKind::less, build(negative), build(positive));
}

Expr ExprSimplifier::select(Expr condition, Expr a, Expr b) {
  if (a == b) return a;
  if (const auto known = pool_.value(condition)) return *known != 0 ? a : b;
  if (pool_.lower(condition) > 0 || pool_.upper(condition) < 0) return a;
  const ExprKind kind = pool_.kind(condition);
  if (is_boolean(condition)) {
    if (pool_.is(a, 1) && pool_.is(b, 0)) return condition;
    if (pool_.is(a, 0) && pool_.is(b, 1)) return equal(condition, pool_.constant(0));
  }
  if (kind == ExprKind::equal) {
    const Expr inner = pool_.operands(condition)[0], against = pool_.operands(condition)[1];
    if (equal(a, b) == condition) return b;
    if (pool_.is(against, 0)) return select(inner, b, a);
  }
  if (kind == ExprKind::less) {
    const Expr one = pool_.constant(1);
    if (less(a, b) == condition || less(a, sum(b, one, 1)) == condition) {
      return extreme(ExprKind::min, a, b);
    }
    if (less(b, a) == condition || less(b, sum(a, one, 1)) == condition) {
      return extreme(ExprKind::max, a, b);
    }
  }
  const auto same_condition = [&](Expr e) {
    return pool_.kind(e) == ExprKind::select && pool_.operands(e)[0] == condition;
  };
  if (same_condition(a)) return select(condition, pool_.operands(a)[1], b);
  if (same_condition(b)) return select(condition, a, pool_.operands(b)[2]);
  return pool_.intern(
      {.kind = ExprKind::select, .value = 0, .operand = {condition, a, b}, .count = 3});
}

}  // namespace subbyte
