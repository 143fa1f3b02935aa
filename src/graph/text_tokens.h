// The small pieces that the text form of a model is made of: names, strings, numbers, and the
// elements of constants. Internal to text.cc and parse.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// "text" with \" \\ \n and \xHH, so that it stays on one line and is plain ASCII.
std::string text_string(std::string_view text);
// %name, or %"name" where it has other characters than letters, digits and _ . / : -
std::string text_name(std::string_view name);
// "0.1", "-inf", "nan:7fc00000": what reads back as the same bits.
std::string text_float(float value);
std::string text_double(double value);
// "{1, 2, 3}"; types without a notation of their own as bytes, "hex 00ff".
std::string text_elements(const Tensor& tensor);

// A place in the text, moving forward.
class TextCursor {
 public:
  explicit TextCursor(std::string_view text) : text_(text) {}

  bool at_end();
  // The next character that is not a space or in a comment; 0 at the end.
  char peek();
  bool take(std::string_view token);
  bool take_word(std::string_view word);  // a token that no letter or digit follows
  Expected<void> expect(std::string_view token);
  tl::unexpected<Error> error(std::string_view what);

  Expected<std::string> word();  // letters, digits and _
  Expected<std::string> string();
  Expected<std::string> name();  // after %
  Expected<std::int64_t> integer();
  Expected<float> single();
  Expected<double> number();
  std::optional<float> suffixed_float();  // "1.5f"; nothing is taken where there is none
  Expected<Expr> expression(ExprPool& pool);
  Expected<std::string> symbol_name();
  // An equals sign that the elements of a constant follow, not an operator.
  bool take_constant();
  // The elements of a tensor whose dtype and dims are known, as text_elements() wrote them.
  Expected<std::vector<std::byte>> elements(DType dtype, std::int64_t count);

 private:
  void skip();
  std::string_view rest_of_line() const;
  std::string_view number_token();

  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace subbyte
