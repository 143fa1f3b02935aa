#include "cli/size.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace subbyte {

namespace {

constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {{"", 1},
                                                                {"B", 1},
                                                                {"kB", 1000},
                                                                {"KB", 1000},
                                                                {"MB", 1'000'000},
                                                                {"GB", 1'000'000'000},
                                                                {"KiB", std::int64_t{1} << 10},
                                                                {"MiB", std::int64_t{1} << 20},
                                                                {"GiB", std::int64_t{1} << 30}};
// Digits before and after the point; more are no size of a file.
constexpr std::size_t kMostDigits = 12, kMostDecimals = 6;

bool is_digits(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::int64_t number(std::string_view digits) {
  std::int64_t value = 0;
  for (const char digit : digits) value = value * 10 + (digit - '0');
  return value;
}

}  // namespace

Expected<std::int64_t> parse_size(const std::string& option, const std::string& text) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view amount = std::string_view(text).substr(0, end);
  const std::size_t point = std::min(amount.find('.'), amount.size());
  const std::string_view whole = amount.substr(0, point);
  const std::string_view decimals = amount.substr(std::min(point + 1, amount.size()));
  const bool is_number = !whole.empty() && whole.size() <= kMostDigits && is_digits(decimals) &&
                         decimals.size() <= kMostDecimals &&
                         (point == amount.size() || !decimals.empty());
  for (const auto& [unit, factor] : kUnits) {
    if (!is_number || text.substr(end) != unit) continue;
    // Part of a byte is no size: a unit was forgotten.
    if (factor == 1 && !decimals.empty()) continue;
    if (number(whole) > INT64_MAX / factor / 2) continue;
    std::int64_t scale = 1;
    for (std::size_t i = 0; i < decimals.size(); ++i) scale *= 10;
    // Below 10^6 * 2^30, so nothing overflows.
    const std::int64_t bytes = number(whole) * factor + number(decimals) * factor / scale;
    if (bytes > 0) return bytes;
  }
  return fail_as(ErrorKind::usage,
                 "{}: {} is not a size; write a number and kB, MB or GB, such as 200MB", option,
                 quoted(text));
}

}  // namespace subbyte
