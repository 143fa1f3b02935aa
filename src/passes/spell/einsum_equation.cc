#include "passes/spell/einsum_equation.h"

#include <algorithm>
#include <map>
#include <string>

#include "base/text.h"

namespace subbyte {
namespace {

// A term as it is written: letters, and where the ellipsis stands among them.
struct Term {
  std::string letters;
  std::size_t ellipsis = std::string::npos;
  bool has_ellipsis() const { return ellipsis != std::string::npos; }
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

Expected<Term> parse_term(std::string_view text) {
  Term term;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_letter(text[i])) {
      term.letters += text[i];
    } else if (text.substr(i, 3) == "..." && !term.has_ellipsis()) {
      term.ellipsis = term.letters.size();
      i += 2;
    } else {
      return fail("its term {} is not of letters and at most one '...'", quoted(text));
    }
  }
  return term;
}

std::vector<std::string_view> terms_of(std::string_view text) {
  std::vector<std::string_view> terms;
  for (std::size_t start = 0;;) {
    const std::size_t comma = text.find(',', start);
    terms.push_back(text.substr(start, comma - start));
    if (comma == std::string_view::npos) return terms;
    start = comma + 1;
  }
}

// The labels of a term whose ellipsis stands for `own` axes, the last of `all`.
Labels labels_of(const Term& term, std::size_t own, std::size_t all) {
  Labels labels(term.letters.begin(), term.letters.end());
  if (!term.has_ellipsis()) return labels;
  Labels dots;
  for (std::size_t i = all - own; i < all; ++i) dots.push_back(static_cast<Label>(i));
  labels.insert(labels.begin() + static_cast<std::ptrdiff_t>(term.ellipsis), dots.begin(),
                dots.end());
  return labels;
}

// What an equation without an arrow gives: the ellipsis, then the letters that stand there once.
Term implied_result(std::span<const Term> operands) {
  std::map<char, int> counts;
  Term result;
  for (const Term& term : operands) {
    for (const char letter : term.letters) ++counts[letter];
    if (term.has_ellipsis()) result.ellipsis = 0;
  }
  for (const auto& [letter, count] : counts)
    if (count == 1) result.letters += letter;
  return result;
}

// Ranks are far below the code of a letter.
constexpr std::size_t kMostAxes = 64;

}  // namespace

Expected<EinsumEquation> parse_einsum(std::string_view equation,
                                      std::span<const std::size_t> ranks) {
  std::string text(equation);
  std::erase(text, ' ');
  const std::size_t arrow = text.find("->");
  const std::string_view left = std::string_view(text).substr(0, arrow);
  const auto written = terms_of(left);
  if (written.size() != ranks.size())
    return fail("its equation {} has {} terms and the node {} inputs", quoted(equation),
                written.size(), ranks.size());

  std::vector<Term> terms;
  std::size_t all = 0;
  for (std::size_t i = 0; i < written.size(); ++i) {
    SUBBYTE_TRY(Term term, parse_term(written[i]));
    const std::size_t letters = term.letters.size();
    if (ranks[i] > kMostAxes || letters > ranks[i] || (!term.has_ellipsis() && letters < ranks[i]))
      return fail("its term {} does not fit input {}, which has rank {}", quoted(written[i]), i,
                  ranks[i]);
    if (term.has_ellipsis()) all = std::max(all, ranks[i] - letters);
    terms.push_back(std::move(term));
  }
  EinsumEquation parsed;
  for (std::size_t i = 0; i < terms.size(); ++i)
    parsed.operands.push_back(labels_of(terms[i], ranks[i] - terms[i].letters.size(), all));

  Term result = implied_result(terms);
  if (arrow != std::string::npos) {
    SUBBYTE_TRY(result, parse_term(std::string_view(text).substr(arrow + 2)));
  }
  parsed.result = labels_of(result, all, all);
  for (const Label label : parsed.result) {
    const auto has = [&](const Labels& labels) { return std::ranges::count(labels, label) > 0; };
    if (std::ranges::count(parsed.result, label) > 1 || std::ranges::none_of(parsed.operands, has))
      return fail("the result of its equation {} must name letters of its terms, each once",
                  quoted(equation));
  }
  return parsed;
}

}  // namespace subbyte
