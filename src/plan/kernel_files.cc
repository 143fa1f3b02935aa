#include "plan/kernel_files.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include "plan/embedded_kernels.h"

namespace subbyte {

namespace {

// WGSL has no string literals, so a comment mark always begins a comment. Block comments nest
// (WGSL, 3.3).
std::string without_comments(std::string_view wgsl) {
  std::string text;
  int depth = 0;
  for (std::size_t i = 0; i < wgsl.size();) {
    const std::string_view two = wgsl.substr(i, 2);
    if (two == "/*") {
      ++depth;
      i += 2;
    } else if (depth > 0) {
      if (two == "*/") --depth;
      i += two == "*/" ? 2 : 1;
    } else if (two == "//") {
      while (i < wgsl.size() && wgsl[i] != '\n') ++i;
    } else {
      text += wgsl[i++];
    }
  }
  return text;
}

std::string without_blanks(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
    if (line.empty()) continue;
    result.append(line).append("\n");
  }
  return result;
}

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The names, keywords and numbers of a text, and what stands between them, one after the other.
std::vector<std::string_view> tokens_of(std::string_view wgsl) {
  std::vector<std::string_view> tokens;
  for (std::size_t begin = 0; begin < wgsl.size();) {
    std::size_t end = begin + 1;
    while (end < wgsl.size() && is_name(wgsl[end]) == is_name(wgsl[begin])) ++end;
    tokens.push_back(wgsl.substr(begin, end - begin));
    begin = end;
  }
  return tokens;
}

}  // namespace

std::set<std::string_view> declared_names(std::string_view wgsl) {
  const std::vector<std::string_view> tokens = tokens_of(wgsl);
  std::set<std::string_view> declared;
  for (std::size_t i = 2; i < tokens.size(); ++i) {
    const std::string_view keyword = tokens[i - 2];
    if (tokens[i - 1] == " " && (keyword == "fn" || keyword == "struct" || keyword == "const"))
      declared.insert(tokens[i]);
  }
  return declared;
}

std::string with_suffix(std::string_view wgsl, std::string_view suffix,
                        const std::set<std::string_view>& names) {
  std::string text;
  for (const std::string_view token : tokens_of(wgsl)) {
    text += token;
    if (names.contains(token)) text += suffix;
  }
  return text;
}

std::string kernel_file(std::string_view name) {
  for (const auto& file : embedded_kernels()) {
    if (file.name == name) return without_blanks(without_comments(file.text));
  }
  return "";
}

bool uses_math_library(std::string_view wgsl) {
  static constexpr std::array<std::string_view, 11> kMarks = {"_f32(",
                                                              "_i32(",
                                                              "_u32(",
                                                              "is_nan(",
                                                              "is_infinite(",
                                                              "round_to_half(",
                                                              "round_to_bfloat16(",
                                                              "half_bits(",
                                                              "half_value(",
                                                              "round_even(",
                                                              "is_finite("};
  for (const auto mark : kMarks) {
    if (wgsl.find(mark) != std::string_view::npos) return true;
  }
  return false;
}

bool uses_trigonometry_library(std::string_view wgsl) {
  // Ends of the names of all six.
  static constexpr std::array<std::string_view, 3> kMarks = {"sin_f32(", "cos_f32(", "tan_f32("};
  return std::any_of(kMarks.begin(), kMarks.end(), [&](std::string_view mark) {
    return wgsl.find(mark) != std::string_view::npos;
  });
}

bool uses_narrow_library(std::string_view wgsl) {
  return wgsl.find("round_to_narrow(") != std::string_view::npos ||
         wgsl.find("round_away(") != std::string_view::npos;
}

bool uses_integers_library(std::string_view wgsl) {
  // Ends of the names of all of them.
  static constexpr std::array<std::string_view, 3> kMarks = {"_signed(", "_unsigned(", "add_wide("};
  return std::any_of(kMarks.begin(), kMarks.end(), [&](std::string_view mark) {
    return wgsl.find(mark) != std::string_view::npos;
  });
}

bool uses_resample_library(std::string_view wgsl) {
  return wgsl.find("resample_") != std::string_view::npos;
}

}  // namespace subbyte
