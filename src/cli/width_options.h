// --target-size, --target-bits and --max-loss.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "compile/width_goal.h"

namespace subbyte {

// As they stand on the command line, "" where they do not.
struct WidthOptions {
  std::string target_size, target_bits, max_loss;
};

// "200MB", "4MiB", "1GB", "1.5MB", "1048576": bytes. `option` is what the error is about.
Expected<std::int64_t> parse_size(const std::string& option, const std::string& text);

// One of them at most, with a --precision of "mixed", or "" where none is given; a usage error for
// all else.
Expected<WidthGoal> parse_goal(const WidthOptions& options, const std::string& precision);

}  // namespace subbyte
