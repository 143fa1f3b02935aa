#include "graph/text_tokens.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "graph/half.h"
#include "graph/narrow_float.h"

namespace subbyte {
namespace {

bool is_alphanumeric(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool is_name_part(char c) {
  return is_alphanumeric(c) || c == '.' || c == '/' || c == ':' || c == '-';
}

template <typename T>
T load(const Tensor& tensor, std::size_t i) {
  T value;
  std::memcpy(&value, tensor.data.data() + i * sizeof(T), sizeof(T));
  return value;
}

std::string text_element(const Tensor& tensor, std::size_t i) {
  switch (tensor.dtype) {
    case DType::float32:
      return text_float(load<float>(tensor, i));
    case DType::float64:
      return text_double(load<double>(tensor, i));
    case DType::float16:
      return text_float(half_to_float(load<std::uint16_t>(tensor, i)));
    case DType::bfloat16:
      return text_float(bfloat16_to_float(load<std::uint16_t>(tensor, i)));
    case DType::uint64:
      return std::to_string(load<std::uint64_t>(tensor, i));
    case DType::int64:
      return std::to_string(load<std::int64_t>(tensor, i));
    case DType::int32:
      return std::to_string(load<std::int32_t>(tensor, i));
    case DType::uint32:
      return std::to_string(load<std::uint32_t>(tensor, i));
    case DType::int16:
      return std::to_string(load<std::int16_t>(tensor, i));
    case DType::uint16:
      return std::to_string(load<std::uint16_t>(tensor, i));
    case DType::int8:
      return std::to_string(load<std::int8_t>(tensor, i));
    default:
      return std::to_string(load<std::uint8_t>(tensor, i));
  }
}

bool has_notation(DType dtype) {
  const bool is_number = is_float(dtype) || is_integer(dtype) || dtype == DType::boolean;
  return is_number && !is_narrow_float(dtype);  // of which the codes are written
}

template <typename T, typename Bits>
std::optional<T> parse_float(std::string_view token) {
  const char* end = token.data() + token.size();
  if (token.starts_with("nan:")) {
    Bits bits = 0;
    const auto parsed = std::from_chars(token.data() + 4, end, bits, 16);
    if (parsed.ec == std::errc() && parsed.ptr == end) return std::bit_cast<T>(bits);
    return std::nullopt;
  }
  T value = 0;
  const auto parsed = std::from_chars(token.data(), end, value);
  if (parsed.ec == std::errc() && parsed.ptr == end) return value;
  return std::nullopt;
}

template <typename T>
void append(std::vector<std::byte>& bytes, T value) {
  const auto* from = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), from, from + sizeof(T));
}

}  // namespace

std::string text_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (byte < 0x20 || byte >= 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string text_name(std::string_view name) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), is_name_part);
  return '%' + (plain ? std::string(name) : text_string(name));
}

std::string text_float(float value) {
  if (std::isnan(value)) return fmt::format("nan:{:08x}", std::bit_cast<std::uint32_t>(value));
  return fmt::format("{}", value);
}

std::string text_double(double value) {
  if (std::isnan(value)) return fmt::format("nan:{:016x}", std::bit_cast<std::uint64_t>(value));
  return fmt::format("{}", value);
}

std::string text_elements(const Tensor& tensor) {
  if (!has_notation(tensor.dtype)) {
    std::string result = "hex ";
    for (const std::byte byte : tensor.data)
      result += fmt::format("{:02x}", std::to_integer<int>(byte));
    return result;
  }
  std::string result = "{";
  const std::size_t count = tensor.data.size() / dtype_size(tensor.dtype);
  for (std::size_t i = 0; i < count; ++i) {
    if (i != 0) result += ", ";
    result += text_element(tensor, i);
  }
  return result + "}";
}

void TextCursor::skip() {
  while (position_ < text_.size()) {
    const char c = text_[position_];
    if (c == '#') {
      position_ = std::min(text_.find('\n', position_), text_.size());
    } else if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
      ++position_;
    } else {
      return;
    }
  }
}

bool TextCursor::at_end() {
  skip();
  return position_ == text_.size();
}

char TextCursor::peek() { return at_end() ? '\0' : text_[position_]; }

bool TextCursor::take(std::string_view token) {
  skip();
  if (text_.substr(position_, token.size()) != token) return false;
  position_ += token.size();
  return true;
}

bool TextCursor::take_word(std::string_view word) {
  skip();
  if (text_.substr(position_, word.size()) != word) return false;
  const std::size_t end = position_ + word.size();
  if (end < text_.size() && is_alphanumeric(text_[end])) return false;
  position_ = end;
  return true;
}

Expected<void> TextCursor::expect(std::string_view token) {
  if (take(token)) return {};
  return error(fmt::format("expected '{}'", token));
}

tl::unexpected<Error> TextCursor::error(std::string_view what) {
  skip();
  const std::string_view before = text_.substr(0, position_);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') + 1;  // 0 where there is no newline
  return fail("line {}, column {}: {}", line, position_ - line_start + 1, what);
}

std::string_view TextCursor::rest_of_line() const {
  return text_.substr(position_, std::min(text_.find('\n', position_), text_.size()) - position_);
}

Expected<std::string> TextCursor::word() {
  skip();
  const std::size_t start = position_;
  while (position_ < text_.size() && is_alphanumeric(text_[position_])) ++position_;
  if (position_ == start) return error("expected a word");
  return std::string(text_.substr(start, position_ - start));
}

Expected<std::string> TextCursor::string() {
  SUBBYTE_CHECK_OK(expect("\""));
  std::string result;
  for (; position_ < text_.size() && text_[position_] != '\n'; ++position_) {
    char c = text_[position_];
    if (c == '"') {
      ++position_;
      return result;
    }
    if (c == '\\') {
      if (++position_ == text_.size()) break;
      c = text_[position_];
      if (c == 'n') c = '\n';
      if (c == 'x') {
        unsigned byte = 0;
        const std::string_view digits = text_.substr(position_ + 1, 2);
        const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
        if (parsed.ec != std::errc() || parsed.ptr != digits.data() + 2) {
          return error("expected two hexadecimal digits after \\x");
        }
        c = static_cast<char>(byte);
        position_ += 2;
      }
    }
    result += c;
  }
  return error("expected '\"' before the end of the line");
}

Expected<std::string> TextCursor::name() {
  SUBBYTE_CHECK_OK(expect("%"));
  if (position_ < text_.size() && text_[position_] == '"') return string();
  const std::size_t start = position_;
  while (position_ < text_.size() && is_name_part(text_[position_])) ++position_;
  if (position_ == start) return error("expected the name of a value");
  return std::string(text_.substr(start, position_ - start));
}

std::string_view TextCursor::number_token() {
  skip();
  const std::size_t start = position_;
  while (position_ < text_.size() &&
         (is_alphanumeric(text_[position_]) || text_[position_] == '-' || text_[position_] == '+' ||
          text_[position_] == '.' || text_[position_] == ':')) {
    ++position_;
  }
  return text_.substr(start, position_ - start);
}

Expected<std::int64_t> TextCursor::integer() {
  const std::string_view token = number_token();
  std::int64_t value = 0;
  const auto parsed = std::from_chars(token.data(), token.data() + token.size(), value);
  if (parsed.ec == std::errc() && parsed.ptr == token.data() + token.size()) return value;
  position_ -= token.size();
  return error("expected an integer of 64 bits");
}

Expected<float> TextCursor::single() {
  const std::string_view token = number_token();
  if (const auto value = parse_float<float, std::uint32_t>(token)) return *value;
  position_ -= token.size();
  return error("expected a number");
}

Expected<double> TextCursor::number() {
  const std::string_view token = number_token();
  if (const auto value = parse_float<double, std::uint64_t>(token)) return *value;
  position_ -= token.size();
  return error("expected a number");
}

std::optional<float> TextCursor::suffixed_float() {
  const std::string_view token = number_token();
  if (token.ends_with('f')) {
    const auto value = parse_float<float, std::uint32_t>(token.substr(0, token.size() - 1));
    if (value) return value;
  }
  position_ -= token.size();
  return std::nullopt;
}

bool TextCursor::take_constant() {
  const std::size_t start = position_;
  if (!take("=")) return false;
  const char next = peek();
  if (next == '{' || text_.substr(position_, 4) == "hex " ||
      text_.substr(position_, 7) == "sha256:") {
    return true;
  }
  position_ = start;
  return false;
}

Expected<Expr> TextCursor::expression(ExprPool& pool) {
  skip();
  std::size_t used = 0;
  auto result = parse_expr(pool, rest_of_line(), used);
  if (!result) return error(result.error().message);
  position_ += used;
  return result;
}

Expected<std::string> TextCursor::symbol_name() {
  skip();
  std::size_t used = 0;
  auto result = parse_symbol_name(rest_of_line(), used);
  if (!result) return error(result.error().message);
  position_ += used;
  return result;
}

Expected<std::vector<std::byte>> TextCursor::elements(DType dtype, std::int64_t count) {
  std::vector<std::byte> bytes;
  if (!has_notation(dtype)) {
    SUBBYTE_CHECK_OK(expect("hex"));
    const std::string_view digits = number_token();
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
      unsigned byte = 0;
      const auto parsed = std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
      if (parsed.ec != std::errc()) return error("expected hexadecimal digits before this");
      bytes.push_back(static_cast<std::byte>(byte));
    }
    return bytes;
  }
  SUBBYTE_CHECK_OK(expect("{"));
  for (std::int64_t i = 0; i < count; ++i) {
    if (i != 0) SUBBYTE_CHECK_OK(expect(","));
    if (dtype == DType::float64) {
      SUBBYTE_TRY(const double value, number());
      append(bytes, value);
      continue;
    }
    if (is_float(dtype)) {
      SUBBYTE_TRY(const float value, single());
      if (dtype == DType::float32) append(bytes, value);
      if (dtype == DType::float16) append(bytes, float_to_half(value));
      if (dtype == DType::bfloat16) append(bytes, float_to_bfloat16(value));
      continue;
    }
    std::uint64_t value = 0;
    if (dtype == DType::uint64) {
      const std::string_view token = number_token();
      const auto parsed = std::from_chars(token.data(), token.data() + token.size(), value);
      if (parsed.ec != std::errc()) return error("expected an unsigned integer before this");
    } else {
      SUBBYTE_TRY(const std::int64_t whole, integer());
      value = static_cast<std::uint64_t>(whole);
    }
    // Little-endian: the low bytes come first.
    const auto* from = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), from, from + dtype_size(dtype));
  }
  SUBBYTE_CHECK_OK(expect("}"));
  return bytes;
}

}  // namespace subbyte
