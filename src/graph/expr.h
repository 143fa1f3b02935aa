// Integer expressions over symbols: what a dimension, an axis or an element of a shape tensor is
// when it is not known until the module runs. Hash-consed in a pool and kept in one canonical form,
// so two expressions that are equal as polynomials are the same handle.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"

namespace subbyte {

// A handle into an ExprPool.
struct Expr {
  std::uint32_t index = 0;
  friend auto operator<=>(const Expr&, const Expr&) = default;
};

enum class ExprKind : std::uint8_t {
  constant,   // value
  symbol,     // value: index of the symbol
  add,        // a + b
  mul,        // a * b
  floor_div,  // floor(a / b), Python's //; b != 0
  mod,        // a - b * floor(a / b), Python's %
  min,
  max,
  equal,   // 1 where a == b, else 0
  less,    // 1 where a < b, else 0
  select,  // a != 0 ? b : c
};

// Where the value of a symbol comes from when the module runs: a dimension of an input, or one
// element of a small integer input that ends in a shape, an axis or an index.
struct SymbolSource {
  // A result is counted by a kernel while the module runs (the elements that NonZero finds); no
  // input says it, and neither does an index.
  enum class Kind : std::uint8_t {
    input_dimension,
    input_element,
    result
  } kind = Kind::input_dimension;
  std::uint32_t input = 0;  // index into the model's inputs
  std::uint32_t index = 0;  // the axis, or the row-major index of the element
};

struct Symbol {
  std::string name;
  SymbolSource source;
  std::int64_t lower = 0;          // known bounds: a dimension is at least 0
  std::int64_t upper = INT64_MAX;  // inclusive; INT64_MIN / INT64_MAX mean unbounded
};

class ExprPool {
 public:
  ExprPool();

  Expr constant(std::int64_t value);
  // The symbol of that name, made on first use. A second use keeps the first source and bounds.
  Expr symbol(const Symbol& symbol);

  Expr add(Expr a, Expr b);
  Expr sub(Expr a, Expr b);
  Expr mul(Expr a, Expr b);
  Expr floor_div(Expr a, Expr b);
  Expr ceil_div(Expr a, Expr b);  // -floor(-a / b)
  Expr mod(Expr a, Expr b);
  Expr min(Expr a, Expr b);
  Expr max(Expr a, Expr b);
  Expr equal(Expr a, Expr b);
  Expr less(Expr a, Expr b);
  Expr select(Expr condition, Expr a, Expr b);
  Expr product(std::span<const Expr> factors);  // 1 for none

  // The value where it is the same for every value of the symbols.
  std::optional<std::int64_t> value(Expr e) const;
  bool is(Expr e, std::int64_t v) const { return value(e) == v; }
  // Bounds that hold whatever the symbols are (INT64_MIN / INT64_MAX: none known).
  std::int64_t lower(Expr e) const;
  std::int64_t upper(Expr e) const;
  // The largest d such that d divides the value whatever the symbols are (0 for the constant 0).
  std::int64_t divisor(Expr e) const;

  std::size_t size() const { return nodes_.size(); }  // handles are below it
  ExprKind kind(Expr e) const { return nodes_[e.index].kind; }
  std::int64_t payload(Expr e) const { return nodes_[e.index].value; }  // constant or symbol index
  std::span<const Expr> operands(Expr e) const;                         // 0, 2 or 3
  const std::vector<Symbol>& symbols() const { return symbols_; }
  std::optional<Expr> find_symbol(std::string_view name) const;
  // False for an expression so large, written out as a tree, that it must not be kept as a
  // dimension or an element: shared operands make the tree grow exponentially while the pool stays
  // small.
  bool is_small(Expr e) const;

  // The value for given symbol values (by symbol index). Arithmetic that leaves 64 bits saturates.
  std::int64_t evaluate(Expr e, std::span<const std::int64_t> symbol_values) const;

  // "batch*12", "h//2 + 2", "max(a, b)", "(a == b)", "(a < b ? c : d)"; parse_expr() reads it back.
  // Symbol names that are not identifiers stand in backquotes, escaped. "?" where !is_small(e).
  std::string text(Expr e) const;

 private:
  struct Node {
    ExprKind kind;
    std::int64_t value;
    Expr operand[3];
    std::uint8_t count;
    friend bool operator==(const Node&, const Node&) = default;
  };
  struct NodeHash {
    std::size_t operator()(const Node& node) const;
  };
  friend class ExprSimplifier;  // expr_simplify.h

  Expr intern(const Node& node);
  void set_facts(const Node& node);

  std::vector<Node> nodes_;
  std::vector<std::int64_t> lower_, upper_, divisor_;
  std::vector<std::uint32_t> depth_, size_;  // of the tree; saturating
  std::unordered_map<Node, std::uint32_t, NodeHash> index_;
  std::vector<Symbol> symbols_;
  std::unordered_map<std::string, std::uint32_t> symbol_index_;
};

// Reads an expression at `position` of `text` and moves past it. Symbols must be in the pool.
// Errors say what was expected and at which byte.
Expected<Expr> parse_expr(ExprPool& pool, std::string_view text, std::size_t& position);
// The same for a whole text.
Expected<Expr> parse_expr(ExprPool& pool, std::string_view text);

// The name of a symbol as it stands in an expression, declared or not.
Expected<std::string> parse_symbol_name(std::string_view text, std::size_t& position);

}  // namespace subbyte
