// Where the program runs: its terminal, and who runs it where it is WebAssembly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace subbyte {

// Of a terminal that does not say how wide it is.
inline constexpr std::size_t kUsualColumns = 80;

// What the progress of a stage is counted in.
enum class ProgressUnit { pieces, bytes };

}  // namespace subbyte

#ifdef __wasi__

#include <unistd.h>

#include <cstdlib>

namespace subbyte {

// WASI does not tell.
inline std::size_t terminal_columns() { return kUsualColumns; }

// Counts are JavaScript's numbers, which hold bytes beyond 4 GB.
extern "C" __attribute__((import_module("subbyte"), import_name("progress"))) void
subbyte_host_progress(const char* stage, std::size_t length, double done, double count,
                      int are_bytes);

// A count of 0 says that the stage begins and that its length is not known.
inline void tell_host(std::string_view stage, std::int64_t done, std::int64_t count,
                      ProgressUnit unit) {
  subbyte_host_progress(stage.data(), stage.size(), static_cast<double>(done),
                        static_cast<double>(count), unit == ProgressUnit::bytes ? 1 : 0);
}

// WASI has no working folder; its C library keeps one for the program.
inline void enter_working_folder() {
  const char* const folder = std::getenv("PWD");
  // Where it cannot be entered, paths are those of the root.
  if (folder != nullptr && ::chdir(folder) != 0) return;
}

}  // namespace subbyte

#else

#include <sys/ioctl.h>
#include <unistd.h>

namespace subbyte {

// Of stderr. Asked anew each time: the user may have resized the window.
inline std::size_t terminal_columns() {
  struct winsize size {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsualColumns;
  return size.ws_col;
}

inline void tell_host(std::string_view, std::int64_t, std::int64_t, ProgressUnit) {}
inline void enter_working_folder() {}

}  // namespace subbyte

#endif
