#include "quantize/tensor_rules.h"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>

#include "base/text.h"

namespace subbyte {
namespace {

// By how much a rule says of a weight; the greater is the more specific.
struct Specificity {
  bool is_name = false;
  std::size_t literal = 0, single = 0;
  friend auto operator<=>(const Specificity&, const Specificity&) = default;
};

// A rule with the first of the weight's names that it matches.
struct Match {
  const TensorRule* rule = nullptr;
  Specificity specificity;
  const std::string* name = nullptr;
};

std::optional<Match> match_of(const TensorRule& rule, std::span<const std::string> names) {
  const auto name = std::ranges::find_if(
      names, [&](const std::string& n) { return matches_pattern(rule.pattern, n); });
  if (name == names.end()) return std::nullopt;
  const auto count = [&](char c) {
    return static_cast<std::size_t>(std::ranges::count(rule.pattern, c));
  };
  // A name may itself hold a * or ?.
  const bool is_name = std::ranges::find(names, rule.pattern) != names.end();
  const std::size_t single = count('?');
  return Match{&rule, {is_name, rule.pattern.size() - count('*') - single, single}, &*name};
}

bool match_one_name(const Match& a, const Match& b, std::span<const std::string> names) {
  return std::ranges::any_of(names, [&](const std::string& name) {
    return matches_pattern(a.rule->pattern, name) && matches_pattern(b.rule->pattern, name);
  });
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view text) {
  // The last * seen takes one more character whenever what follows it does not fit.
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Expected<const TensorRule*> rule_for(std::span<const TensorRule> rules,
                                     std::span<const std::string> names,
                                     std::vector<std::string>& told) {
  std::vector<Match> matches;
  for (const TensorRule& rule : rules)
    if (auto match = match_of(rule, names)) matches.push_back(*match);
  if (matches.empty()) return nullptr;
  const Match best = *std::ranges::max_element(matches, [](const Match& a, const Match& b) {
    return std::tuple(a.specificity, bits_of(a.rule->precision)) <
           std::tuple(b.specificity, bits_of(b.rule->precision));
  });
  for (const Match& other : matches) {
    if (other.rule->precision == best.rule->precision && other.rule->form == best.rule->form)
      continue;
    if (!match_one_name(best, other, names)) {
      told.push_back(fmt::format(
          "the rules {} ({}) and {} ({}) are about one weight: {} and {} hold the same numbers, "
          "which are stored once; they get {}",
          quoted(other.rule->pattern), other.rule->word, quoted(best.rule->pattern),
          best.rule->word, quoted(*other.name), quoted(*best.name), best.rule->word));
    } else if (other.specificity == best.specificity) {
      return fail(
          "'tensors': the rules {} ({}) and {} ({}) both match {}, and neither is more specific; "
          "name the tensor itself, or give both the same precision",
          quoted(other.rule->pattern), other.rule->word, quoted(best.rule->pattern),
          best.rule->word, quoted(*best.name));
    }
  }
  return best.rule;
}

}  // namespace subbyte
