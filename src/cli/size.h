// Sizes as a user writes them.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace subbyte {

// "200MB", "1.5MB", "4MiB", "1048576": bytes, a part of one left out. An error of the kind `usage`
// names `option`.
Expected<std::int64_t> parse_size(const std::string& option, const std::string& text);

}  // namespace subbyte
