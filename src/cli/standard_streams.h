// The standard streams of the program. That what was written there is lost is an error, never a
// success and never an exception.
#pragma once

#include <string_view>

#include "base/error.h"

namespace subbyte {

// Opens what is closed of stdin, stdout and stderr so that writing there fails: the next file to
// be opened would take its place otherwise, and get what is meant for the user. First in main().
void keep_standard_streams();

// Writes a result, all of it, to stdout. An error of the kind `io` says why it is lost.
Expected<void> print_result(std::string_view text);

}  // namespace subbyte
