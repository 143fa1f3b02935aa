// Branches of which one is known to be taken: the other goes.
#pragma once

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// After inference, which it repeats where it changes something: true then.
Expected<bool> resolve_branches(Model& model);

}  // namespace subbyte
