#include "cli/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace subbyte {

void keep_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    // It gets the lowest free number, which is this one. For reading, so that writing fails.
    if (::open("/dev/null", O_RDONLY) != descriptor) return;
  }
}

Expected<void> print_result(std::string_view text) {
  const bool whole = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (whole && std::fflush(stdout) == 0) return {};
  return fail_as(ErrorKind::io, "stdout: the result cannot be written: {}",
                 std::generic_category().message(errno));
}

}  // namespace subbyte
