// Inputs and outputs under names that the user chooses, in place of the source's.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// Of a model that has just been imported: the values of graph "main" that `renames` (old, new)
// names are called by the new names, all at once, so that two may swap theirs. An output that an
// input is passed through to is one value with it. Errors: a name that no input or output has, with
// those that there are; a new name that is another value's already, or given twice.
Expected<void> rename_ports(Model& model,
                            const std::vector<std::pair<std::string, std::string>>& renames);

}  // namespace subbyte
