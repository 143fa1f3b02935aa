// What --help and `subbyte help` print.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"

namespace subbyte {

// Lines of at most this many columns, but for a word or a name that is longer.
inline constexpr std::size_t kHelpColumns = 100;

std::string program_help(const std::vector<VerbRow>& verbs);
std::string verb_help(const VerbRow& verb);

// "-p, --precision WORD": an option and what it takes.
std::string option_usage(const OptionRow& row);
// What it does, and the words that it takes.
std::string option_help(const OptionRow& row);
// "subbyte convert [OPTIONS] [FILE]..."
std::string usage_line(const VerbRow& verb);

}  // namespace subbyte
