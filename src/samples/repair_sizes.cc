#include "samples/repair_sizes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "graph/arithmetic.h"

namespace subbyte {

namespace {

// A size that no run should have, whatever would fit.
constexpr std::int64_t kLargestSize = 1 << 14;
// How far from where a size is others are tried one by one.
constexpr std::int64_t kTried = 128;

// Height and width of an image, say, move together.
struct Move {
  std::vector<std::size_t> symbols;
  std::int64_t size;
};

class Repair {
 public:
  Repair(const Model& model, std::vector<std::int64_t>& sizes)
      : exprs_(model.exprs), model_(model), sizes_(sizes) {}

  void run() {
    std::size_t broken = count_broken();
    while (broken > 0) {
      std::optional<Move> best;
      std::size_t fewest = broken;
      for (const Move& move : moves()) {
        const std::size_t left = count_broken_after(move);
        if (left < fewest || (left == fewest && best && move.size > best->size)) {
          fewest = left;
          best = move;
        }
      }
      if (!best) return;
      make(*best);
      broken = fewest;
    }
  }

 private:
  bool holds(const Model::Constraint& constraint) const {
    return exprs_.evaluate(constraint.condition, sizes_) != 0;
  }
  std::size_t count_broken() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        model_.constraints, [&](const auto& constraint) { return !holds(constraint); }));
  }
  void make(const Move& move) {
    for (const std::size_t symbol : move.symbols) sizes_[symbol] = move.size;
  }
  std::size_t count_broken_after(const Move& move) {
    const std::vector<std::int64_t> before = sizes_;
    make(move);
    const std::size_t broken = count_broken();
    sizes_ = before;
    return broken;
  }

  // Of the first constraint that is broken.
  std::vector<Move> moves() {
    std::vector<Move> moves;
    const auto broken = std::ranges::find_if(
        model_.constraints, [&](const auto& constraint) { return !holds(constraint); });
    add_solutions(broken->condition, moves);
    std::set<std::size_t> symbols;
    add_symbols(broken->condition, symbols);
    std::map<std::int64_t, std::vector<std::size_t>> by_size;
    for (const std::size_t symbol : symbols) by_size[sizes_[symbol]].push_back(symbol);
    for (const auto& [size, together] : by_size) {
      add_next(*broken, together, moves);
      if (together.size() == 1) continue;
      for (const std::size_t symbol : together) add_next(*broken, {symbol}, moves);
    }
    return moves;
  }

  // The nearest size at which a constraint holds, above or else below, whole multiples of 8 first:
  // what no equation gives, such as remainders and products of sizes.
  void add_next(const Model::Constraint& constraint, std::vector<std::size_t> symbols,
                std::vector<Move>& moves) {
    const std::vector<std::int64_t> before = sizes_;
    const std::int64_t size = sizes_[symbols.front()];
    Move move{std::move(symbols), 0};
    const auto try_size = [&](std::int64_t tried) {
      if (!std::ranges::all_of(move.symbols, [&](std::size_t s) { return is_allowed(s, tried); }))
        return false;
      move.size = tried;
      make(move);
      const bool fits = holds(constraint);
      sizes_ = before;
      if (fits) moves.push_back(move);
      return fits;
    };
    for (const std::int64_t step : {8, 1}) {
      const std::int64_t start = size / step * step;
      for (std::int64_t up = step; up <= kTried; up += step)
        if (try_size(start + up)) return;
      for (std::int64_t down = 0; down <= kTried; down += step)
        if (start - down != size && try_size(start - down)) return;
    }
  }

  // A dimension of 0 would hold often and say nothing.
  bool is_allowed(std::size_t symbol, std::int64_t size) const {
    const Symbol& limits = exprs_.symbols()[symbol];
    const bool is_dimension = limits.source.kind == SymbolSource::Kind::input_dimension;
    // What the model counts is not for us to say.
    if (limits.source.kind == SymbolSource::Kind::result) return false;
    return size >= limits.lower && size <= std::min(limits.upper, kLargestSize) &&
           (size > 0 || !is_dimension);
  }

  void add_solutions(Expr condition, std::vector<Move>& moves) {
    const auto operands = exprs_.operands(condition);
    const ExprKind kind = exprs_.kind(condition);
    if (kind == ExprKind::equal || kind == ExprKind::less) {
      std::set<std::size_t> symbols;
      for (const Expr side : operands) add_symbols(side, symbols);
      for (const std::size_t symbol : symbols) {
        // a == b, or a == b - 1.
        const std::int64_t apart = kind == ExprKind::less ? -1 : 0;
        if (const auto size = solve(operands[0], operands[1], apart, symbol))
          moves.push_back({{symbol}, *size});
      }
      return;
    }
    for (const Expr operand : operands) add_solutions(operand, moves);
  }

  void add_symbols(Expr e, std::set<std::size_t>& symbols) const {
    if (exprs_.kind(e) == ExprKind::symbol)
      symbols.insert(static_cast<std::size_t>(exprs_.payload(e)));
    for (const Expr operand : exprs_.operands(e)) add_symbols(operand, symbols);
  }

  // The value of the symbol at which a - b is `apart`, if both are linear in it from where it is.
  std::optional<std::int64_t> solve(Expr a, Expr b, std::int64_t apart, std::size_t symbol) {
    const std::int64_t before = sizes_[symbol];
    const auto difference = [&](std::int64_t size) {
      sizes_[symbol] = size;
      const std::int64_t value = saturating_add(exprs_.evaluate(a, sizes_),
                                                saturating_mul(-1, exprs_.evaluate(b, sizes_)));
      sizes_[symbol] = before;
      return saturating_add(value, -apart);
    };
    const std::int64_t here = difference(before);
    const std::int64_t slope = saturating_add(difference(before + 1), saturating_mul(-1, here));
    if (slope == 0 || here % slope != 0) return std::nullopt;
    const std::int64_t size = saturating_add(before, saturating_mul(-1, here / slope));
    if (size == before || !is_allowed(symbol, size)) return std::nullopt;
    return size;
  }

  const ExprPool& exprs_;
  const Model& model_;
  std::vector<std::int64_t>& sizes_;
};

}  // namespace

void repair_sizes(const Model& model, std::vector<std::int64_t>& sizes) {
  Repair(model, sizes).run();
}

}  // namespace subbyte
