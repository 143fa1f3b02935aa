// The form that canonicalize gives the main graph, and that every later pass keeps: what reads a
// node after it finds each decision in one place. ARCHITECTURE.md lists it.
#pragma once

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// An error naming the first node that is not in canonical form.
Expected<void> check_canonical(const Model& model);

}  // namespace subbyte
