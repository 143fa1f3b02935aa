#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "base/text.h"

namespace subbyte {

namespace {

// Before that much time nothing is foretold.
constexpr double kFirstGuess = 0.5;
constexpr std::size_t kNarrowestBar = 10, kWidestBar = 30;

// Cut at `columns`; what is cut here has no bytes beyond ASCII.
std::string cut(std::string text, std::size_t columns) {
  if (text.size() > columns) text.resize(columns);
  return text;
}

// Those of the parts that there are.
std::string joined(std::initializer_list<std::string> parts, std::string_view between) {
  std::string text;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    if (!text.empty()) text += between;
    text += part;
  }
  return text;
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(std::min(seconds, 1e9)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

void Progress::begin(std::string_view phase, Time now) {
  phase_ = phase;
  begun_ = now;
  done_ = count_ = 0;
  is_bytes_ = false;
}

void Progress::pieces(std::int64_t done, std::int64_t count) {
  done_ = done;
  count_ = count;
  is_bytes_ = false;
}

void Progress::bytes(std::int64_t done, std::int64_t count) {
  pieces(done, count);
  is_bytes_ = true;
}

double Progress::share() const {
  return std::clamp(static_cast<double>(done_) / static_cast<double>(count_), 0., 1.);
}

Progress::Parts Progress::parts(Time now) const {
  if (count_ <= 0) return {};
  Parts parts;
  // 100 % is said of what is done and of nothing else.
  parts.percent =
      fmt::format("{} %", is_done() ? 100 : std::min(99, static_cast<int>(share() * 100)));
  if (is_bytes_) parts.amounts = fmt::format("{} of {}", bytes_text(done_), bytes_text(count_));
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  if (seconds < kFirstGuess || done_ <= 0) return parts;
  if (is_bytes_) {
    const double rate = static_cast<double>(done_) / seconds;
    parts.rate = fmt::format("{}/s", bytes_text(static_cast<std::int64_t>(rate)));
  }
  if (!is_done()) parts.left = duration_text(seconds * (1 - share()) / share()) + " left";
  return parts;
}

std::string Progress::bar(std::size_t columns, Time now) const {
  const Parts all = parts(now);
  if (all.percent.empty()) return cut(phase_, columns);
  // What stands right of the bar, from most to least.
  const std::string tails[] = {joined({all.percent, all.amounts, all.rate, all.left}, " "),
                               joined({all.percent, all.rate, all.left}, " "),
                               joined({all.percent, all.left}, " ")};
  for (const std::string& tail : tails) {
    const std::size_t rest = phase_.size() + tail.size() + 4;  // brackets and spaces
    if (rest + kNarrowestBar > columns) continue;
    const std::size_t width = std::min(columns - rest, kWidestBar);
    const auto filled = static_cast<std::size_t>(static_cast<double>(width) * share());
    return fmt::format("{} [{:=<{}}{: <{}}] {}", phase_, "", filled, "", width - filled, tail);
  }
  std::string text = joined({phase_, all.percent, all.left}, " ");
  if (text.size() <= columns) return text;
  return cut(joined({phase_, all.percent}, " "), columns);
}

std::string Progress::line(Time now) const {
  const Parts all = parts(now);
  const std::string told = joined({all.percent, all.amounts, all.rate, all.left}, ", ");
  return told.empty() ? phase_ : fmt::format("{}: {}", phase_, told);
}

}  // namespace subbyte
