// Text that came out of a file is hostile: these make it safe to show.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace subbyte {

// 'name' in single quotes for messages: control characters, quotes, backslashes, bytes that are not
// UTF-8, bidirectional overrides and line separators come out as \n, \x1b, \u{202e}; cut after 200
// characters with "...".
std::string quoted(std::string_view text);
// std::quoted, which argument-dependent lookup finds for these wherever <iomanip> is included,
// would be the better match without them.
inline std::string quoted(const std::string& text) { return quoted(std::string_view(text)); }
inline std::string quoted(std::string& text) { return quoted(std::string_view(text)); }
inline std::string quoted(const char* text) { return quoted(std::string_view(text)); }

// The same text as valid UTF-8: each byte that is not part of a well-formed sequence becomes
// U+FFFD.
std::string valid_utf8(std::string_view text);

// A JavaScript (and JSON) string literal in double quotes that is also safe inside an HTML script
// element and a block comment: '<', '>', '/', U+2028, U+2029 and controls are \u escapes.
std::string js_string(std::string_view text);

// "10.4 MB": decimal units, three significant digits.
std::string bytes_text(std::int64_t bytes);

// The candidate nearest to `text` by edit distance, or "" when none is near enough to suggest.
std::string nearest(std::string_view text, const std::vector<std::string>& candidates);

}  // namespace subbyte
