// What passes establish, as predicates that run after them under SUBBYTE_VERIFY.
#pragma once

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// Every integer that something reads and that shape inference knows is a constant: fold_constants.
Expected<void> contents_are_constants(const Model& model);

// Whether both have the same nodes between the same values; an error naming the first that differs.
Expected<void> same_nodes(const Model& model, const Model& other);

// Nothing is left for a pass to do: a second run changes no node.
template <Expected<void> (*pass)(Model&)>
Expected<void> is_settled(const Model& model) {
  Model again = model;
  SUBBYTE_CHECK_OK(pass(again));
  return same_nodes(model, again);
}

}  // namespace subbyte
