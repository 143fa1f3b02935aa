// Which words of a command line are options, which their values, and which stand for themselves, as
// POSIX utilities and GNU's long options have it. What values may be is not asked here.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/options.h"

namespace subbyte {

struct CutArguments {
  // What each row of the verb was given, in order: a flag has an empty text for each time.
  std::vector<std::vector<std::string>> values{};
  bool help = false;  // -h or --help, wherever it stands
  // Options that the verb does not have, without their values, and words that no row takes.
  std::vector<std::string> unknown{}, extra{};
  // The first row whose option has no value, or that is a flag with one.
  std::optional<std::size_t> ill_formed{};
};

// `words` are what follows the verb: "--name VALUE", "--name=VALUE", "-n VALUE", "-nVALUE", "-qv"
// for "-q -v", and "--" before words that stand for themselves whatever they begin with. A word
// that begins with a dash is no value, but for "-" alone and numbers below 0.
CutArguments cut_arguments(std::span<const char* const> words, const VerbRow& verb);

}  // namespace subbyte
