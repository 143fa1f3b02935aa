// The form that canonicalize gives the main graph, and that every later pass keeps: what reads a
// node after it finds each decision in one place. ARCHITECTURE.md lists it.
#pragma once

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// Whether what is known of the node's inputs is all that its form needs, and it has it.
bool is_canonical(const Graph& graph, const Node& node);
// An error naming the first node that is not in canonical form.
Expected<void> check_canonical(const Model& model);

}  // namespace subbyte
