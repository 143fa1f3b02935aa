#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <numeric>

namespace subbyte {
namespace {

// One step of a UTF-8 reader: a code point of `size` bytes, or one byte that is not part of a
// well-formed sequence (Unicode 15, table 3-7).
struct Character {
  std::uint32_t code = 0;
  std::size_t size = 1;
  bool valid = false;
};

Character read_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1, true};
  std::size_t size = 0;
  std::uint32_t code = 0;
  std::uint32_t smallest = 0;
  if (first >= 0xC2 && first <= 0xDF) {
    size = 2, code = first & 0x1F, smallest = 0x80;
  } else if (first >= 0xE0 && first <= 0xEF) {
    size = 3, code = first & 0x0F, smallest = 0x800;
  } else if (first >= 0xF0 && first <= 0xF4) {
    size = 4, code = first & 0x07, smallest = 0x10000;
  }
  if (size == 0 || text.size() < size) return {first, 1, false};
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {first, 1, false};
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < smallest || code > 0x10FFFF || surrogate) return {first, 1, false};
  return {code, size, true};
}

// Characters that change how the text around them looks, or that look like nothing at all:
// controls, zero-width characters, bidirectional marks, overrides and isolates, line and paragraph
// separators, tags.
bool is_deceptive(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0xAD || code == 0x61C ||
         (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF ||
         (code >= 0xFFF9 && code <= 0xFFFB) || (code >= 0xE0000 && code <= 0xE007F);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Insertions, deletions, substitutions (Levenshtein 1966), ASCII case ignored.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string quoted(std::string_view text) {
  constexpr int kLongest = 200;
  std::string out = "'";
  auto put = std::back_inserter(out);
  for (int count = 0; !text.empty(); ++count) {
    if (count == kLongest) {
      out += "...";
      break;
    }
    const Character c = read_character(text);
    if (c.valid && (c.code == '\'' || c.code == '\\')) {
      out += '\\';
      out += static_cast<char>(c.code);
    } else if (c.valid && c.code == '\n') {
      out += "\\n";
    } else if (c.valid && c.code == '\r') {
      out += "\\r";
    } else if (c.valid && c.code == '\t') {
      out += "\\t";
    } else if (!c.valid || c.code < 0x80) {
      if (!c.valid || is_deceptive(c.code)) {
        fmt::format_to(put, "\\x{:02x}", c.code);
      } else {
        out += static_cast<char>(c.code);
      }
    } else if (is_deceptive(c.code)) {
      fmt::format_to(put, "\\u{{{:x}}}", c.code);
    } else {
      out += text.substr(0, c.size);
    }
    text.remove_prefix(c.size);
  }
  out += '\'';
  return out;
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = read_character(text);
    out += c.valid ? text.substr(0, c.size) : std::string_view("\xEF\xBF\xBD");
    text.remove_prefix(c.size);
  }
  return out;
}

std::string js_string(std::string_view text) {
  std::string out = "\"";
  auto put = std::back_inserter(out);
  while (!text.empty()) {
    const Character c = read_character(text);
    if (!c.valid) {
      out += "\\ufffd";
    } else if (c.code == '"' || c.code == '\\') {
      out += '\\';
      out += static_cast<char>(c.code);
    } else if (c.code >= 0x10000 && is_deceptive(c.code)) {
      fmt::format_to(put, "\\u{:04x}\\u{:04x}", 0xD800 + ((c.code - 0x10000) >> 10),
                     0xDC00 + ((c.code - 0x10000) & 0x3FF));
    } else if (c.code == '<' || c.code == '>' || c.code == '/' || is_deceptive(c.code)) {
      fmt::format_to(put, "\\u{:04x}", c.code);
    } else {
      out += text.substr(0, c.size);
    }
    text.remove_prefix(c.size);
  }
  out += '"';
  return out;
}

std::string bytes_text(std::int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  double size = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (size >= 999.5 && unit + 1 < std::size(kUnits)) {
    size /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes)
                   : fmt::format("{:.{}f} {}", size,
                                 size < 10    ? 2
                                 : size < 100 ? 1
                                              : 0,
                                 kUnits[unit]);
}

std::string nearest(std::string_view text, const std::vector<std::string>& candidates) {
  // Names longer than this are nobody's typing error, and the distance takes quadratic time.
  constexpr std::size_t kLongest = 100;
  std::string best;
  if (text.size() > kLongest) return best;
  std::size_t best_distance = std::max<std::size_t>(1, text.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongest) continue;
    const std::size_t distance = edit_distance(text, candidate);
    // A distance of the whole length shares no letter with the text.
    if (distance < best_distance && distance < std::max(text.size(), candidate.size())) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace subbyte
