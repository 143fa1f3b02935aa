// --target-size, --target-bits and --max-loss.
#pragma once

#include <string>

#include "base/error.h"
#include "compile/width_goal.h"

namespace subbyte {

// As they stand on the command line, "" where they do not.
struct WidthOptions {
  std::string target_size, target_bits, max_loss;
};

// One of them at most, with a --precision of "mixed", or "" where none is given; a usage error for
// all else.
Expected<WidthGoal> parse_goal(const WidthOptions& options, const std::string& precision);

}  // namespace subbyte
