// What the program says while it works: to stderr, and to a file where one is asked for.
#pragma once

#include <fmt/core.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "base/error.h"

namespace subbyte {

enum class LogLevel { error, warning, info, debug };

// The first line of every log file, by which one is known again.
inline constexpr std::string_view kLogMark = "# Log of subbyte ";

class Log {
 public:
  Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  // Lines above `level` are left out on stderr.
  void set_level(LogLevel level) { level_ = level; }
  // From here on all lines are kept, those above the level too, for a file that may not be opened
  // yet.
  void keep() { keeps_ = true; }
  // Creates or empties the file, and writes to it what was kept and all that follows. What stands
  // there is the caller's to check.
  Expected<void> write_to(const std::string& path);

  // Whether a line of that level would be seen anywhere: one that costs something to make is made
  // only then.
  bool takes(LogLevel level) const { return level <= level_ || keeps_ || file_ != nullptr; }

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
  bool keeps_ = false;
  std::string kept_;
  std::FILE* file_ = nullptr;
  bool bar_ = false;
  std::size_t tenths_ = 0;
};

}  // namespace subbyte
