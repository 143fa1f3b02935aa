#include "compile/plan_sizes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace subbyte {

namespace {

using Json = PlanSizes::Json;
using Size = std::optional<std::int64_t>;

// runtime/src/warm.ts: one at a time, of a sentence, a line of text or a page.
constexpr std::int64_t kFirst = 1, kSentence = 32, kLine = 320, kPage = 640;

Size sum(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  return __builtin_add_overflow(a, b, &result) ? Size() : Size(result);
}

Size product(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? Size() : Size(result);
}

// Rounded to minus infinity, as Python does.
Size quotient(std::int64_t a, std::int64_t b) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return {};
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0);
}

Size apply(const std::string& op, std::int64_t a, std::int64_t b) {
  if (op == "+") return sum(a, b);
  if (op == "*") return product(a, b);
  if (op == "//") return quotient(a, b);
  if (op == "min") return std::min(a, b);
  if (op == "max") return std::max(a, b);
  if (op == "==") return a == b ? 1 : 0;
  if (op == "<") return a < b ? 1 : 0;
  if (op != "%") return {};
  const Size whole = quotient(a, b);
  return whole ? Size(a - *whole * b) : Size();
}

Size evaluated(const Json& expression, const std::vector<Size>& values,
               const std::vector<Size>& symbols) {
  if (expression.is_number_integer()) return expression.get<std::int64_t>();
  const auto op = expression.at(0).get<std::string>();
  // A split step's rows are not known apart from it.
  if (op == "first") return 0;
  if (op == "rows") return {};
  if (op == "s") {
    const auto symbol = expression.at(1).get<std::size_t>();
    return symbol < symbols.size() ? symbols[symbol] : Size();
  }
  const auto operand = [&](std::size_t i) {
    const auto index = expression.at(i).get<std::size_t>();
    return index < values.size() ? values[index] : Size();
  };
  if (op == "?") {
    const Size condition = operand(1);
    return condition ? operand(*condition != 0 ? 2 : 3) : Size();
  }
  Size result = operand(1);
  for (std::size_t i = 2; i < expression.size(); ++i) {
    const Size other = operand(i);
    result = result && other ? apply(op, *result, *other) : Size();
  }
  return result;
}

bool is_counted(const Json& symbol) { return !symbol.contains("input"); }
bool is_dimension(const Json& symbol) { return !is_counted(symbol) && symbol.contains("axis"); }

std::int64_t likely_size(const Json& plan, const Json& symbol) {
  if (symbol.at("axis").get<std::int64_t>() == 0) return kFirst;
  const Json& dims = plan.at("inputs").at(symbol.at("input").get<std::size_t>()).at("dims");
  if (dims.size() < 4) return kSentence;
  const auto open =
      std::count_if(dims.begin() + 1, dims.end(), [](const Json& dim) { return dim.is_string(); });
  return open > 1 ? kPage : kLine;
}

}  // namespace

Expected<PlanSizes> PlanSizes::evaluate(
    const Json& plan, std::span<const std::pair<std::string, std::int64_t>> dims) {
  PlanSizes result;
  const auto& symbols = plan.at("symbols").get_ref<const Json::array_t&>();
  std::vector<std::string> names;
  for (const Json& symbol : symbols)
    if (is_dimension(symbol)) names.push_back(symbol.at("name").get<std::string>());
  for (const auto& [name, size] : dims) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    std::string list;
    for (const auto& known : names) list += (list.empty() ? "" : ", ") + quoted(known);
    return fail_as(ErrorKind::usage,
                   "--dim {}: the module has no open dimension of that name; it has {}",
                   quoted(name), list.empty() ? "none" : list);
  }
  std::vector<Size> known;
  for (const Json& symbol : symbols) {
    known.push_back(is_counted(symbol) ? Size() : Size(1));
    if (!is_dimension(symbol)) continue;
    const auto name = symbol.at("name").get<std::string>();
    const auto given =
        std::find_if(dims.begin(), dims.end(), [&](const auto& dim) { return dim.first == name; });
    known.back() = given == dims.end() ? likely_size(plan, symbol) : given->second;
    result.sizes_.emplace_back(name, *known.back());
  }
  // What a run counts is taken for the most that it may be, which depends on symbols before it.
  const auto& expressions = plan.at("exprs").get_ref<const Json::array_t&>();
  for (bool again = true; again;) {
    result.values_.clear();
    for (const Json& expression : expressions)
      result.values_.push_back(evaluated(expression, result.values_, known));
    again = false;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      if (known[i] || !is_counted(symbols[i])) continue;
      // What has no bound counts as 1 (docs/plan.md).
      known[i] = symbols[i].contains("most") ? result.value(symbols[i]["most"].get<std::size_t>())
                                             : Size(1);
      again = again || known[i].has_value();
    }
  }
  return result;
}

std::optional<std::int64_t> PlanSizes::value(std::size_t expression) const {
  return expression < values_.size() ? values_[expression] : Size();
}

}  // namespace subbyte
