#include "cli/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "cli/host.h"
#include "emit/version.h"

namespace subbyte {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kBetweenBars = std::chrono::milliseconds(100);
constexpr auto kBetweenLines = std::chrono::seconds(5);

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

// Opening a pipe that nobody reads would wait for a reader, for ever; without waiting it fails.
std::FILE* open_for_writing(const std::string& path) {
  const int file =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
  if (file < 0) return nullptr;
  // Only opening must not wait.
  const int flags = ::fcntl(file, F_GETFL);
  std::FILE* const stream =
      flags < 0 || ::fcntl(file, F_SETFL, flags & ~O_NONBLOCK) < 0 ? nullptr : ::fdopen(file, "w");
  if (stream == nullptr) ::close(file);
  return stream;
}

}  // namespace

Log::Log()
    : terminal_(stderr_is_terminal()),
      colours_(terminal_ && !is_set("NO_COLOR")),
      shown_(Clock::now()) {}

Log::~Log() {
  clear();
  if (file_ != nullptr) std::fclose(file_);
}

Expected<void> Log::write_to(const std::string& path) {
  file_ = open_for_writing(path);
  if (file_ == nullptr && errno == ENXIO) {
    return fail_as(ErrorKind::io,
                   "--log-file {}: this is a pipe that nothing reads, or a socket; name a file",
                   quoted(path));
  }
  if (file_ == nullptr) {
    return fail_as(ErrorKind::io, "--log-file {}: the file cannot be written: {}", quoted(path),
                   std::generic_category().message(errno));
  }
  file_name_ = fmt::format("--log-file {}", quoted(path));
  write_file(fmt::format("{}{}\n{}", kLogMark, kVersion, std::exchange(kept_, {})));
  keeps_ = false;
  return {};
}

Expected<void> Log::finish() {
  clear();
  const bool closed = file_ == nullptr || std::fclose(std::exchange(file_, nullptr)) == 0;
  if (!closed) lose_file();
  if (lost_.empty() && lost_stderr_.empty()) return {};
  return fail_as(ErrorKind::io, "{}", lost_.empty() ? lost_stderr_ : lost_);
}

void Log::lose_file() {
  if (!lost_.empty()) return;
  lost_ = fmt::format("{}: the log cannot be written: {}", file_name_,
                      std::generic_category().message(errno));
}

void Log::write_file(std::string_view text) {
  if (!lost_.empty()) return;
  const bool whole = std::fwrite(text.data(), 1, text.size(), file_) == text.size();
  // Flushed so that a full disk is found while there is work.
  if (!whole || std::fflush(file_) != 0) lose_file();
}

// stderr has no buffer.
void Log::show(std::string_view text, bool matters) {
  if (std::fwrite(text.data(), 1, text.size(), stderr) == text.size() || !matters) return;
  lost_stderr_ = fmt::format("stderr: a message cannot be written: {}",
                             std::generic_category().message(errno));
}

void Log::clear() {
  if (bar_) show("\r\x1b[K", false);
  bar_ = false;
}

void Log::say(LogLevel level, std::string_view message) {
  if (level <= file_level_) {
    const std::string line = fmt::format("{}{}\n", prefix(level, false), message);
    if (file_ != nullptr) write_file(line);
    if (keeps_) kept_ += line;
  }
  if (level > level_) return;
  clear();
  show(fmt::format("{}{}\n", prefix(level, colours_), message), level <= LogLevel::warning);
}

void Log::phase(std::string_view name) { begin_phase(name); }

void Log::pieces(std::string_view phase, std::int64_t done, std::int64_t count) {
  if (progress_.phase() != phase) begin_phase(phase);
  progress_.pieces(done, count);
  show_progress(progress_.is_done());
}

void Log::bytes(std::string_view phase, std::int64_t done, std::int64_t count) {
  if (progress_.phase() != phase) begin_phase(phase);
  progress_.bytes(done, count);
  show_progress(progress_.is_done());
}

void Log::begin_phase(std::string_view name) {
  progress_.begin(name, Clock::now());
  show_progress(true);
}

void Log::show_progress(bool now) {
  if (level_ < LogLevel::info) return;
  const auto time = Clock::now();
  if (terminal_) {
    if (!now && time - shown_ < kBetweenBars) return;
    // The last column stays free: some terminals begin a new line there.
    const std::string bar = progress_.bar(terminal_columns() - 1, time);
    show(fmt::format("\r{}\x1b[K", bar), false);
    bar_ = true;
  } else {
    if (time - shown_ < kBetweenLines) return;
    show(progress_.line(time) + "\n", false);
  }
  shown_ = time;
}

}  // namespace subbyte
