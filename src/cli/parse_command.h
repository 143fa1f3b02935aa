// Arguments to options.
#pragma once

#include <span>
#include <vector>

#include "base/error.h"
#include "cli/options.h"

namespace subbyte {

struct Command {
  const VerbRow* verb = nullptr;  // none where help or the version was asked of the program itself
  bool help = false, version = false;
};

// Sets what `verbs` (verb_table()) point to. Errors are of the kind `usage`: a verb or an option
// that there is not, with the nearest that there is, a value that is missing or not allowed, an
// option given twice, two that exclude each other, and what is needed but absent. With --help
// nothing else is asked for.
Expected<Command> parse_command(std::span<const char* const> arguments,
                                const std::vector<VerbRow>& verbs);

// The verb of that name, or the error that names them all.
Expected<const VerbRow*> find_verb_named(const std::vector<VerbRow>& verbs,
                                         const std::string& name);

}  // namespace subbyte
