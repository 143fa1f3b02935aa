// What the program says while it works: to stderr, and to a file where one is asked for.
#pragma once

#include <fmt/core.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "base/error.h"

namespace subbyte {

enum class LogLevel { error, warning, info, debug };

class Log {
 public:
  Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  // Lines above `level` are left out on stderr; the file, where `path` is not empty, gets them too.
  Expected<void> open(LogLevel level, const std::string& path);

  // With "error: " or "warning: " before it, in colour on a terminal unless NO_COLOR is set
  // (no-color.org).
  void say(LogLevel level, std::string_view message);
  // A bar on a terminal, "quantizing: 12 of 40" at every half elsewhere.
  void progress(std::string_view what, std::size_t done, std::size_t count);

 private:
  void clear_bar();

  // Whether stderr is a terminal that understands control sequences.
  const bool terminal_;
  const bool colours_;
  LogLevel level_ = LogLevel::info;
  std::FILE* file_ = nullptr;
  bool bar_ = false;
  std::size_t tenths_ = 0;
};

}  // namespace subbyte
