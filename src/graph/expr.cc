#include "graph/expr.h"

#include <algorithm>

#include "graph/arithmetic.h"
#include "graph/expr_bounds.h"
#include "graph/expr_simplify.h"

namespace subbyte {
namespace {

constexpr std::uint32_t kMaxTreeSize = 4096;
constexpr std::uint32_t kMaxTreeDepth = 128;

}  // namespace

std::size_t ExprPool::NodeHash::operator()(const Node& node) const {
  std::uint64_t hash = 0x9e3779b97f4a7c15u ^ static_cast<std::uint64_t>(node.kind);
  const auto mix = [&](std::uint64_t value) {
    hash = (hash ^ value) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
  };
  mix(static_cast<std::uint64_t>(node.value));
  for (const Expr operand : node.operand) mix(operand.index);
  return static_cast<std::size_t>(hash);
}

// Handle 0 is the constant 0, so that a default Expr means something.
ExprPool::ExprPool() { constant(0); }

Expr ExprPool::intern(const Node& node) {
  const auto [found, inserted] =
      index_.try_emplace(node, static_cast<std::uint32_t>(nodes_.size()));
  if (inserted) {
    nodes_.push_back(node);
    set_facts(node);
  }
  return {found->second};
}

void ExprPool::set_facts(const Node& node) {
  const auto interval = [&](int i) -> Interval {
    return {lower_[node.operand[i].index], upper_[node.operand[i].index]};
  };
  const auto divisor_of = [&](int i) { return divisor_[node.operand[i].index]; };
  Interval result;
  std::int64_t divisor = 1;
  switch (node.kind) {
    case ExprKind::constant:
      result = {node.value, node.value};
      divisor = gcd_int(node.value, 0);
      break;
    case ExprKind::symbol: {
      const Symbol& symbol = symbols_[static_cast<std::size_t>(node.value)];
      result = {symbol.lower, symbol.upper};
      break;
    }
    case ExprKind::add:
      result = {add_bounds(interval(0).lower, interval(1).lower, INT64_MIN),
                add_bounds(interval(0).upper, interval(1).upper, INT64_MAX)};
      divisor = gcd_int(divisor_of(0), divisor_of(1));
      break;
    case ExprKind::mul:
      result = mul_interval(interval(0), interval(1));
      if (node.operand[0] == node.operand[1])
        result.lower = std::max<std::int64_t>(result.lower, 0);
      // Where the product is too large, one of the two still divides.
      if (__builtin_mul_overflow(divisor_of(0), divisor_of(1), &divisor)) {
        divisor = std::max(divisor_of(0), divisor_of(1));
      }
      break;
    case ExprKind::floor_div:
      result = floor_div_interval(interval(0), interval(1));
      break;
    case ExprKind::mod:
      result = mod_interval(interval(0), interval(1));
      divisor = gcd_int(divisor_of(0), divisor_of(1));
      break;
    case ExprKind::min:
      result = {std::min(interval(0).lower, interval(1).lower),
                std::min(interval(0).upper, interval(1).upper)};
      divisor = gcd_int(divisor_of(0), divisor_of(1));
      break;
    case ExprKind::max:
      result = {std::max(interval(0).lower, interval(1).lower),
                std::max(interval(0).upper, interval(1).upper)};
      divisor = gcd_int(divisor_of(0), divisor_of(1));
      break;
    case ExprKind::equal:
    case ExprKind::less:
      result = {0, 1};
      break;
    case ExprKind::select:
      result = {std::min(interval(1).lower, interval(2).lower),
                std::max(interval(1).upper, interval(2).upper)};
      divisor = gcd_int(divisor_of(1), divisor_of(2));
      break;
  }
  lower_.push_back(result.lower);
  upper_.push_back(result.upper);
  divisor_.push_back(divisor);

  std::uint64_t size = 1;
  std::uint32_t depth = 0;
  for (std::uint8_t i = 0; i < node.count; ++i) {
    size += size_[node.operand[i].index];
    depth = std::max(depth, depth_[node.operand[i].index] + 1);
  }
  size_.push_back(static_cast<std::uint32_t>(std::min<std::uint64_t>(size, kMaxTreeSize + 1)));
  depth_.push_back(std::min(depth, kMaxTreeDepth + 1));
}

Expr ExprPool::constant(std::int64_t value) {
  return intern({.kind = ExprKind::constant, .value = value, .operand = {}, .count = 0});
}

Expr ExprPool::symbol(const Symbol& symbol) {
  const auto [found, inserted] =
      symbol_index_.try_emplace(symbol.name, static_cast<std::uint32_t>(symbols_.size()));
  if (inserted) symbols_.push_back(symbol);
  return intern({.kind = ExprKind::symbol, .value = found->second, .operand = {}, .count = 0});
}

std::optional<Expr> ExprPool::find_symbol(std::string_view name) const {
  const auto found = symbol_index_.find(std::string(name));
  if (found == symbol_index_.end()) return std::nullopt;
  const auto node = index_.find(
      Node{.kind = ExprKind::symbol, .value = found->second, .operand = {}, .count = 0});
  return Expr{node->second};
}

bool ExprPool::is_small(Expr e) const {
  return size_[e.index] <= kMaxTreeSize && depth_[e.index] <= kMaxTreeDepth;
}

Expr ExprPool::add(Expr a, Expr b) { return ExprSimplifier(*this).sum(a, b, 1); }
Expr ExprPool::sub(Expr a, Expr b) { return ExprSimplifier(*this).sum(a, b, -1); }
Expr ExprPool::mul(Expr a, Expr b) { return ExprSimplifier(*this).product(a, b); }
Expr ExprPool::floor_div(Expr a, Expr b) { return ExprSimplifier(*this).floor_div(a, b); }

Expr ExprPool::ceil_div(Expr a, Expr b) {
  // (a + b - 1) // b is the same for a positive b, and the form that people expect to read.
  if (lower(b) >= 1) return floor_div(sub(add(a, b), constant(1)), b);
  return sub(constant(0), floor_div(sub(constant(0), a), b));
}

Expr ExprPool::mod(Expr a, Expr b) { return ExprSimplifier(*this).mod(a, b); }
Expr ExprPool::min(Expr a, Expr b) { return ExprSimplifier(*this).extreme(ExprKind::min, a, b); }
Expr ExprPool::max(Expr a, Expr b) { return ExprSimplifier(*this).extreme(ExprKind::max, a, b); }
Expr ExprPool::equal(Expr a, Expr b) { return ExprSimplifier(*this).equal(a, b); }
Expr ExprPool::less(Expr a, Expr b) { return ExprSimplifier(*this).less(a, b); }

Expr ExprPool::select(Expr condition, Expr a, Expr b) {
  return ExprSimplifier(*this).select(condition, a, b);
}

Expr ExprPool::product(std::span<const Expr> factors) {
  Expr result = constant(1);
  for (const Expr factor : factors) result = mul(result, factor);
  return result;
}

std::optional<std::int64_t> ExprPool::value(Expr e) const {
  if (nodes_[e.index].kind == ExprKind::constant) return nodes_[e.index].value;
  return std::nullopt;
}

std::int64_t ExprPool::lower(Expr e) const { return lower_[e.index]; }
std::int64_t ExprPool::upper(Expr e) const { return upper_[e.index]; }
std::int64_t ExprPool::divisor(Expr e) const { return divisor_[e.index]; }

std::span<const Expr> ExprPool::operands(Expr e) const {
  const Node& node = nodes_[e.index];
  return {node.operand, node.count};
}

std::int64_t ExprPool::evaluate(Expr e, std::span<const std::int64_t> symbol_values) const {
  // Operands come before their users, so one sweep down marks what is needed and one up computes
  // it; recursion would follow whatever depth the model has.
  std::vector<char> needed(e.index + 1, 0);
  needed[e.index] = 1;
  for (std::uint32_t i = e.index + 1; i-- > 0;) {
    if (needed[i] == 0) continue;
    for (const Expr operand : operands({i})) needed[operand.index] = 1;
  }
  std::vector<std::int64_t> values(e.index + 1, 0);
  for (std::uint32_t i = 0; i <= e.index; ++i) {
    if (needed[i] == 0) continue;
    const Node& node = nodes_[i];
    const auto at = [&](int k) { return values[node.operand[k].index]; };
    switch (node.kind) {
      case ExprKind::constant:
        values[i] = node.value;
        break;
      case ExprKind::symbol: {
        const auto symbol = static_cast<std::size_t>(node.value);
        values[i] = symbol < symbol_values.size() ? symbol_values[symbol] : 0;
        break;
      }
      case ExprKind::add:
        values[i] = saturating_add(at(0), at(1));
        break;
      case ExprKind::mul:
        values[i] = saturating_mul(at(0), at(1));
        break;
      case ExprKind::floor_div:
        values[i] = floor_div_int(at(0), at(1));
        break;
      case ExprKind::mod:
        values[i] = mod_int(at(0), at(1));
        break;
      case ExprKind::min:
        values[i] = std::min(at(0), at(1));
        break;
      case ExprKind::max:
        values[i] = std::max(at(0), at(1));
        break;
      case ExprKind::equal:
        values[i] = at(0) == at(1) ? 1 : 0;
        break;
      case ExprKind::less:
        values[i] = at(0) < at(1) ? 1 : 0;
        break;
      case ExprKind::select:
        values[i] = at(0) != 0 ? at(1) : at(2);
        break;
    }
  }
  return values[e.index];
}

}  // namespace subbyte
