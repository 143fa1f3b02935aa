#include "plan/size_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

namespace subbyte {
namespace {

// Each size up to the limit is tried; a larger one is no limit that a user would meet by chance.
constexpr std::int64_t kMostTried = 1 << 16;

struct Parts {
  std::set<std::size_t> symbols;
  std::set<std::int64_t> constants;
};

Parts parts_of(const ExprPool& exprs, Expr condition) {
  Parts parts;
  std::set<Expr> seen;
  std::vector<Expr> left{condition};
  while (!left.empty()) {
    const Expr e = left.back();
    left.pop_back();
    if (!seen.insert(e).second) continue;
    if (exprs.kind(e) == ExprKind::symbol)
      parts.symbols.insert(static_cast<std::size_t>(exprs.payload(e)));
    if (exprs.kind(e) == ExprKind::constant) parts.constants.insert(exprs.payload(e));
    for (const Expr operand : exprs.operands(e)) left.push_back(operand);
  }
  return parts;
}

}  // namespace

std::optional<SizeLimit> size_limit(const ExprPool& exprs, Expr condition) {
  const Parts parts = parts_of(exprs, condition);
  if (parts.symbols.size() != 1) return std::nullopt;
  const std::size_t symbol = *parts.symbols.begin();
  if (exprs.symbols()[symbol].source.kind != SymbolSource::Kind::input_dimension)
    return std::nullopt;
  std::vector<std::int64_t> values(exprs.symbols().size(), 1);
  const auto holds = [&](std::int64_t size) {
    values[symbol] = size;
    return exprs.evaluate(condition, values) != 0;
  };
  std::int64_t most = 0;
  while (most < kMostTried && holds(most)) ++most;
  if (most == 0 || most == kMostTried) return std::nullopt;
  --most;
  // Beyond it: where the condition may change, about its constants, and how it ends.
  std::set<std::int64_t> beyond;
  for (std::int64_t i = 1; i <= 64; ++i) beyond.insert(most + i);
  for (const std::int64_t constant : parts.constants) {
    for (const std::int64_t near : {constant - 1, constant, constant + 1}) beyond.insert(near);
  }
  for (int bit = 0; bit < 30; ++bit) beyond.insert(std::int64_t{1} << bit);
  const bool ends =
      std::ranges::none_of(beyond, [&](std::int64_t size) { return size > most && holds(size); });
  return ends ? std::optional(SizeLimit{symbol, most}) : std::nullopt;
}

void tell_size_limits(Model& model) {
  for (Model::Constraint& constraint : model.constraints) {
    if (const auto limit = size_limit(model.exprs, constraint.condition)) {
      constraint.message =
          fmt::format("{} may be at most {}: {}", model.exprs.symbols()[limit->symbol].name,
                      limit->most, constraint.message);
    }
  }
}

}  // namespace subbyte
