// Who runs the program where it is WebAssembly; elsewhere nothing.
#pragma once

#include <cstddef>
#include <string_view>

#ifdef __wasi__

#include <unistd.h>

#include <cstdlib>

namespace subbyte {

extern "C" __attribute__((import_module("subbyte"), import_name("progress"))) void
subbyte_host_progress(const char* stage, std::size_t length, std::size_t done, std::size_t count);

inline void tell_host(std::string_view stage, std::size_t done, std::size_t count) {
  subbyte_host_progress(stage.data(), stage.size(), done, count);
}

// WASI has no working folder; its C library keeps one for the program.
inline void enter_working_folder() {
  const char* const folder = std::getenv("PWD");
  // Where it cannot be entered, paths are those of the root.
  if (folder != nullptr && ::chdir(folder) != 0) return;
}

}  // namespace subbyte

#else

namespace subbyte {

inline void tell_host(std::string_view, std::size_t, std::size_t) {}
inline void enter_working_folder() {}

}  // namespace subbyte

#endif
