// Scripts by which shells complete the command line.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"

namespace subbyte {

// Verbs, the options of each, the words that an option takes, and files or folders elsewhere.
std::string bash_completion(const std::vector<VerbRow>& verbs);
std::string zsh_completion(const std::vector<VerbRow>& verbs);
std::string fish_completion(const std::vector<VerbRow>& verbs);

}  // namespace subbyte
