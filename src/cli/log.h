// What the program says while it works: to stderr, and to a file where one is asked for.
#pragma once

#include <fmt/core.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/progress.h"

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

  // Lines above `level` are left out, on stderr and in the file.
  void set_level(LogLevel level) { level_ = file_level_ = level; }
  // The same for stderr alone.
  void set_quiet() { level_ = LogLevel::error; }
  // From here on lines are kept for a file that may not be opened yet.
  void keep() { keeps_ = true; }
  // Creates or empties the file, and writes to it what was kept and all that follows. What stands
  // there is the caller's to check.
  Expected<void> write_to(const std::string& path);

  // Whether a line of that level would be seen anywhere: one that costs something to make is made
  // only then.
  bool takes(LogLevel level) const {
    return level <= level_ || ((keeps_ || file_ != nullptr) && level <= file_level_);
  }

  // With "error: " or "warning: " before it, in colour on a terminal unless NO_COLOR is set
  // (no-color.org).
  void say(LogLevel level, std::string_view message);

  // A bar on a terminal, as wide as it is and redrawn in place; elsewhere a line every few seconds.
  void phase(std::string_view name);
  void pieces(std::string_view phase, std::int64_t done, std::int64_t count);
  void bytes(std::string_view phase, std::int64_t done, std::int64_t count);

  // Takes the bar away, before something else is written to the terminal.
  void clear();

  // Whether the file took less than it was given.
  bool failed() const { return !lost_.empty(); }
  // Closes the file. An error says that it could not be written whole, or that stderr did not take
  // a warning or an error; a line of progress that is lost there is no loss.
  Expected<void> finish();

 private:
  void write_file(std::string_view text);
  void lose_file();
  void show(std::string_view text, bool matters);
  void begin_phase(std::string_view name);
  void show_progress(bool now);

  // Whether stderr is a terminal that understands control sequences.
  const bool terminal_;
  const bool colours_;
  LogLevel level_ = LogLevel::info, file_level_ = LogLevel::info;
  bool keeps_ = false;
  std::string kept_;
  std::FILE* file_ = nullptr;
  std::string file_name_;
  std::string lost_;         // a sentence, once the file is
  std::string lost_stderr_;  // the same, once a line that matters is
  bool bar_ = false;
  Progress progress_;
  Progress::Time shown_;
};

}  // namespace subbyte
