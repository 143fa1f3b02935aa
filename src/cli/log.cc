#include "cli/log.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "emit/version.h"

namespace subbyte {

namespace {

constexpr std::size_t kBarWidth = 30;

bool is_set(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool stderr_is_terminal() {
  const char* const kind = std::getenv("TERM");
  const bool dumb = kind != nullptr && std::string_view(kind) == "dumb";
  return ::isatty(STDERR_FILENO) != 0 && !dumb;
}

std::string prefix(LogLevel level, bool colours) {
  if (level > LogLevel::warning) return "";
  const std::string_view word = level == LogLevel::error ? "error:" : "warning:";
  if (!colours) return fmt::format("{} ", word);
  const int colour = level == LogLevel::error ? 31 : 33;  // red, yellow (ECMA-48, SGR)
  return fmt::format("\x1b[1;{}m{}\x1b[0m ", colour, word);
}

}  // namespace

Log::Log() : terminal_(stderr_is_terminal()), colours_(terminal_ && !is_set("NO_COLOR")) {}

Log::~Log() {
  clear_bar();
  if (file_ != nullptr) std::fclose(file_);
}

Expected<void> Log::write_to(const std::string& path) {
  file_ = std::fopen(path.c_str(), "w");
  if (file_ == nullptr) {
    return fail_as(ErrorKind::io, "--log-file {}: the file cannot be written: {}", quoted(path),
                   std::generic_category().message(errno));
  }
  fmt::print(file_, "{}{}\n{}", kLogMark, kVersion, std::exchange(kept_, {}));
  keeps_ = false;
  return {};
}

void Log::clear_bar() {
  if (bar_) fmt::print(stderr, "\r\x1b[K");
  bar_ = false;
}

void Log::say(LogLevel level, std::string_view message) {
  if (file_ != nullptr) fmt::print(file_, "{}{}\n", prefix(level, false), message);
  if (keeps_) kept_ += fmt::format("{}{}\n", prefix(level, false), message);
  if (level > level_) return;
  clear_bar();
  fmt::print(stderr, "{}{}\n", prefix(level, colours_), message);
}

void Log::progress(std::string_view what, std::size_t done, std::size_t count) {
  if (level_ < LogLevel::info || count == 0) return;
  if (terminal_) {
    const std::size_t filled = done * kBarWidth / count;
    fmt::print(stderr, "\r{} [{:=<{}}{: <{}}] {}/{}", what, "", filled, "", kBarWidth - filled,
               done, count);
    std::fflush(stderr);
    bar_ = true;
    if (done == count) clear_bar();
    return;
  }
  const std::size_t tenths = done * 10 / count;
  if (done == 1) tenths_ = 0;
  if (tenths == tenths_) return;
  tenths_ = tenths;
  if (tenths % 5 == 0) fmt::print(stderr, "{}: {} of {}\n", what, done, count);
}

}  // namespace subbyte
