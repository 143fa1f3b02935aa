#include "base/json_text.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"

namespace subbyte {

namespace {

using Json = nlohmann::ordered_json;

// What is deeper is nothing that subbyte asks for, and may be deeper than a stack.
constexpr int kDeepest = 8;

// "[json.exception.parse_error.101] parse error at line 2, column 5: syntax error ..." without what
// nlohmann's own readers want; of a number that is too large it says no place. The text may hold
// the file's bytes.
std::string sentence(const std::string& what) {
  for (const std::string_view before : {"parse error at ", "] "}) {
    const std::size_t at = what.find(before);
    if (at != std::string::npos) return valid_utf8(what.substr(at + before.size()));
  }
  return valid_utf8(what);
}

}  // namespace

Expected<Json> parse_json(std::string_view text) {
  std::vector<std::set<std::string>> keys;
  std::string twice;
  bool deep = false;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    deep = deep || depth > kDeepest;
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto key = parsed.get<std::string>();
      if (!keys.back().insert(key).second && twice.empty()) twice = key;
    }
    return !deep;
  };
  const auto too_deep = [] { return fail("it is nested deeper than {} levels", kDeepest); };
  try {
    Json json = Json::parse(text, watch);
    if (deep) return too_deep();
    if (!twice.empty()) return fail("the key {} is there twice", quoted(twice));
    return json;
  } catch (const Json::exception& error) {
    if (deep) return too_deep();
    return fail("{}", sentence(error.what()));
  }
}

}  // namespace subbyte
