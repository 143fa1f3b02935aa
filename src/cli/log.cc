#include "cli/log.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/text.h"

namespace subbyte {

namespace {

constexpr std::size_t kBarWidth = 30;

const char* prefix(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "error: ";
    case LogLevel::warning:
      return "warning: ";
    default:
      return "";
  }
}

}  // namespace

Log::~Log() {
  clear_bar();
  if (file_ != nullptr) std::fclose(file_);
}

Expected<void> Log::open(LogLevel level, const std::string& path) {
  level_ = level;
  if (path.empty()) return {};
  file_ = std::fopen(path.c_str(), "w");
  if (file_ == nullptr) {
    return fail("--log-file {}: the file cannot be written: {}", quoted(path),
                std::generic_category().message(errno));
  }
  return {};
}

void Log::clear_bar() {
  if (bar_) fmt::print(stderr, "\r\x1b[K");
  bar_ = false;
}

void Log::say(LogLevel level, std::string_view message) {
  const std::string line = fmt::format("{}{}\n", prefix(level), message);
  if (file_ != nullptr) std::fputs(line.c_str(), file_);
  if (level > level_) return;
  clear_bar();
  std::fputs(line.c_str(), stderr);
}

void Log::progress(std::string_view what, std::size_t done, std::size_t count) {
  if (level_ < LogLevel::info || count == 0) return;
  if (::isatty(STDERR_FILENO) != 0) {
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
