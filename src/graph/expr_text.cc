// Expressions as text and back.
//
//   sum     = product { ("+" | "-") product }
//   product = unary { ("*" | "//" | "%") unary }
//   unary   = ["-"] atom
//   atom    = number | symbol | ("min" | "max") "(" sum { "," sum } ")"
//           | "(" sum [ ("==" | "<") sum | "?" sum ":" sum ] ")"
//   symbol  = identifier | "`" characters "`", with \` \\ and \xHH inside
#include <cctype>
#include <charconv>

#include "base/text.h"
#include "graph/arithmetic.h"
#include "graph/expr.h"

namespace subbyte {
namespace {

constexpr int kMaxParseDepth = 300;

bool is_identifier_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool is_identifier_part(char c) {
  return is_identifier_start(c) || std::isdigit(static_cast<unsigned char>(c)) || c == '.';
}

bool is_plain_name(std::string_view name) {
  if (name.empty() || name == "min" || name == "max" || !is_identifier_start(name.front()))
    return false;
  for (const char c : name) {
    if (!is_identifier_part(c)) return false;
  }
  return true;
}

std::string symbol_text(std::string_view name) {
  if (is_plain_name(name)) return std::string(name);
  std::string result = "`";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '`' || c == '\\') {
      result += '\\';
      result += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result + "`";
}

// How tightly what was written binds.
enum class Level : std::uint8_t { sum, product, atom };

class Writer {
 public:
  explicit Writer(const ExprPool& pool) : pool_(pool) {}

  void write(Expr e, Level least) {
    const Level level = level_of(e);
    if (level < least) out_ += '(';
    write_bare(e);
    if (level < least) out_ += ')';
  }

  std::string take() { return std::move(out_); }

 private:
  Level level_of(Expr e) const {
    switch (pool_.kind(e)) {
      case ExprKind::add:
        return Level::sum;
      case ExprKind::mul:
      case ExprKind::floor_div:
      case ExprKind::mod:
        return Level::product;
      case ExprKind::constant:
        // A minus binds like a product's sign: "a//(-3)".
        return pool_.payload(e) < 0 ? Level::sum : Level::atom;
      default:
        return Level::atom;
    }
  }

  void binary(Expr e, Level left, std::string_view sign, Level right) {
    const auto operands = pool_.operands(e);
    write(operands[0], left);
    out_ += sign;
    write(operands[1], right);
  }

  // A sum's second operand, with its sign drawn out: "a - b*2".
  void write_added(Expr e) {
    std::int64_t coefficient = 1;
    const bool is_constant = pool_.kind(e) == ExprKind::constant;
    if (is_constant) coefficient = pool_.payload(e);
    if (pool_.kind(e) == ExprKind::mul) {
      const Expr last = pool_.operands(e)[1];
      if (pool_.kind(last) == ExprKind::constant) coefficient = pool_.payload(last);
    }
    // -INT64_MIN has no decimal of its own.
    if (coefficient >= 0 || coefficient == INT64_MIN) {
      out_ += " + ";
      write(e, Level::product);
    } else if (is_constant) {
      out_ += " - " + std::to_string(-coefficient);
    } else {
      out_ += ' ';
      write_negated(pool_.operands(e)[0], coefficient, "- ");
    }
  }

  // monomial * coefficient with a negative coefficient: "-a*2".
  void write_negated(Expr monomial, std::int64_t coefficient, std::string_view minus = "-") {
    if (coefficient == INT64_MIN) {
      write(monomial, factor_level(monomial));
      out_ += fmt::format("*({})", coefficient);
      return;
    }
    out_ += minus;
    write(monomial, factor_level(monomial));
    if (coefficient != -1) out_ += "*" + std::to_string(-coefficient);
  }

  // "a*b*c" needs no parentheses on the left, but "(a//b)*c" reads better with them.
  Level factor_level(Expr e) const {
    return pool_.kind(e) == ExprKind::mul ? Level::product : Level::atom;
  }

  void write_call(std::string_view name, Expr e) {
    std::vector<Expr> arguments;
    const ExprKind kind = pool_.kind(e);
    while (pool_.kind(e) == kind) {
      arguments.push_back(pool_.operands(e)[1]);
      e = pool_.operands(e)[0];
    }
    out_ += name;
    out_ += '(';
    write(e, Level::sum);
    while (!arguments.empty()) {
      out_ += ", ";
      write(arguments.back(), Level::sum);
      arguments.pop_back();
    }
    out_ += ')';
  }

  void write_bare(Expr e) {
    const auto operands = pool_.operands(e);
    switch (pool_.kind(e)) {
      case ExprKind::constant:
        out_ += std::to_string(pool_.payload(e));
        break;
      case ExprKind::symbol:
        out_ += symbol_text(pool_.symbols()[static_cast<std::size_t>(pool_.payload(e))].name);
        break;
      case ExprKind::add:
        write(operands[0], Level::sum);
        write_added(operands[1]);
        break;
      case ExprKind::mul:
        if (pool_.kind(operands[1]) == ExprKind::constant && pool_.payload(operands[1]) < 0) {
          write_negated(operands[0], pool_.payload(operands[1]));
        } else {
          binary(e, factor_level(operands[0]), "*", Level::atom);
        }
        break;
      case ExprKind::floor_div:
        binary(e, factor_level(operands[0]), "//", Level::atom);
        break;
      case ExprKind::mod:
        binary(e, factor_level(operands[0]), " % ", Level::atom);
        break;
      case ExprKind::min:
        write_call("min", e);
        break;
      case ExprKind::max:
        write_call("max", e);
        break;
      case ExprKind::equal:
        out_ += '(';
        binary(e, Level::sum, " == ", Level::sum);
        out_ += ')';
        break;
      case ExprKind::less:
        out_ += '(';
        binary(e, Level::sum, " < ", Level::sum);
        out_ += ')';
        break;
      case ExprKind::select:
        out_ += '(';
        write(operands[0], Level::sum);
        out_ += " ? ";
        write(operands[1], Level::sum);
        out_ += " : ";
        write(operands[2], Level::sum);
        out_ += ')';
        break;
    }
  }

  const ExprPool& pool_;
  std::string out_;
};

class Parser {
 public:
  Parser(ExprPool& pool, std::string_view text, std::size_t position)
      : pool_(pool), text_(text), position_(position) {}

  std::size_t position() const { return position_; }

  Expected<Expr> sum() {
    SUBBYTE_TRY(Expr result, product());
    for (;;) {
      if (take("+")) {
        SUBBYTE_TRY(const Expr right, product());
        result = pool_.add(result, right);
      } else if (take("-")) {
        SUBBYTE_TRY(const Expr right, product());
        result = pool_.sub(result, right);
      } else {
        return result;
      }
    }
  }

  Expected<std::string> name() {
    skip_spaces();
    return position_ < text_.size() && text_[position_] == '`' ? backquoted() : identifier();
  }

  void skip_spaces() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n'))
      ++position_;
  }

 private:
  bool take(std::string_view token) {
    skip_spaces();
    if (text_.substr(position_, token.size()) != token) return false;
    position_ += token.size();
    return true;
  }

  tl::unexpected<Error> expected(std::string_view what) {
    skip_spaces();
    return fail("expected {} at byte {} of the expression {}", what, position_, quoted(text_));
  }

  Expected<Expr> product() {
    SUBBYTE_TRY(Expr result, unary());
    for (;;) {
      if (take("//")) {
        SUBBYTE_TRY(const Expr right, unary());
        result = pool_.floor_div(result, right);
      } else if (take("*")) {
        SUBBYTE_TRY(const Expr right, unary());
        result = pool_.mul(result, right);
      } else if (take("%")) {
        SUBBYTE_TRY(const Expr right, unary());
        result = pool_.mod(result, right);
      } else {
        return result;
      }
    }
  }

  Expected<Expr> unary() {
    if (!take("-")) return atom();
    skip_spaces();
    if (position_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[position_]))) {
      return number("-");
    }
    SUBBYTE_TRY(const Expr e, atom());
    return pool_.sub(pool_.constant(0), e);
  }

  Expected<Expr> number(std::string_view sign) {
    std::string digits(sign);
    while (position_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[position_]))) {
      digits += text_[position_++];
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc()) return expected("a number of 64 bits before this");
    return pool_.constant(value);
  }

  Expected<Expr> atom() {
    if (++depth_ > kMaxParseDepth) return expected("fewer nested parentheses");
    auto result = atom_inside();
    --depth_;
    return result;
  }

  Expected<Expr> atom_inside() {
    if (take("(")) return parenthesized();
    skip_spaces();
    if (position_ >= text_.size()) return expected("a number or a symbol");
    const char c = text_[position_];
    if (std::isdigit(static_cast<unsigned char>(c))) return number("");
    SUBBYTE_TRY(const std::string name, c == '`' ? backquoted() : identifier());
    if (c != '`' && (name == "min" || name == "max")) return call(name == "min");
    if (const auto symbol = pool_.find_symbol(name)) return *symbol;
    return fail("symbol {} in the expression {} is not declared", quoted(name), quoted(text_));
  }

  Expected<Expr> parenthesized() {
    SUBBYTE_TRY(Expr result, sum());
    if (take("==")) {
      SUBBYTE_TRY(const Expr right, sum());
      result = pool_.equal(result, right);
    } else if (take("<")) {
      SUBBYTE_TRY(const Expr right, sum());
      result = pool_.less(result, right);
    } else if (take("?")) {
      SUBBYTE_TRY(const Expr yes, sum());
      if (!take(":")) return expected("':'");
      SUBBYTE_TRY(const Expr no, sum());
      result = pool_.select(result, yes, no);
    }
    if (!take(")")) return expected("')'");
    return result;
  }

  Expected<Expr> call(bool is_min) {
    if (!take("(")) return expected("'('");
    SUBBYTE_TRY(Expr result, sum());
    while (take(",")) {
      SUBBYTE_TRY(const Expr next, sum());
      result = is_min ? pool_.min(result, next) : pool_.max(result, next);
    }
    if (!take(")")) return expected("')'");
    return result;
  }

  Expected<std::string> identifier() {
    std::string name;
    while (position_ < text_.size() && is_identifier_part(text_[position_]))
      name += text_[position_++];
    if (name.empty()) return expected("a number or a symbol");
    return name;
  }

  Expected<std::string> backquoted() {
    std::string name;
    for (++position_; position_ < text_.size(); ++position_) {
      char c = text_[position_];
      if (c == '`') {
        ++position_;
        return name;
      }
      if (c == '\\' && position_ + 1 < text_.size()) {
        c = text_[++position_];
        if (c == 'x') {
          unsigned byte = 0;
          const std::string_view digits = text_.substr(position_ + 1, 2);
          const auto parsed =
              std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
          if (parsed.ec != std::errc() || digits.size() != 2)
            return expected("two hexadecimal digits");
          c = static_cast<char>(byte);
          position_ += 2;
        }
      }
      name += c;
    }
    return expected("'`'");
  }

  ExprPool& pool_;
  std::string_view text_;
  std::size_t position_;
  int depth_ = 0;
};

}  // namespace

std::string ExprPool::text(Expr e) const {
  if (!is_small(e)) return "?";
  Writer writer(*this);
  writer.write(e, Level::sum);
  return writer.take();
}

Expected<Expr> parse_expr(ExprPool& pool, std::string_view text, std::size_t& position) {
  Parser parser(pool, text, position);
  SUBBYTE_TRY(const Expr result, parser.sum());
  position = parser.position();
  return result;
}

Expected<Expr> parse_expr(ExprPool& pool, std::string_view text) {
  Parser parser(pool, text, 0);
  SUBBYTE_TRY(const Expr result, parser.sum());
  parser.skip_spaces();
  if (parser.position() != text.size()) {
    return fail("expected the end at byte {} of the expression {}", parser.position(),
                quoted(text));
  }
  return result;
}

Expected<std::string> parse_symbol_name(std::string_view text, std::size_t& position) {
  ExprPool none;
  Parser parser(none, text, position);
  SUBBYTE_TRY(std::string name, parser.name());
  position = parser.position();
  return name;
}

}  // namespace subbyte
