// The manual page, subbyte(1).
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"

namespace subbyte {

// As man(7) macros, which every roff reads.
std::string man_page(const std::vector<VerbRow>& verbs);

}  // namespace subbyte
