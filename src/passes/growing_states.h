// What a loop carries and only makes longer: in each turn something is put at the end of a tensor,
// along one axis, or of a sequence, and nothing else reads it. What the turns add can be stacked
// instead, so that nothing that is carried changes its shape.
#pragma once

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

struct Growth {
  bool is_sequence = false;
  std::int64_t axis = 0;            // along which a tensor grows
  std::vector<ValueId> parts{};     // of the body: what a turn puts there, in order
  std::vector<ValueId> replaced{};  // of the body: what it has been in the turn, last first
};

// Of the state that is `state` when a turn of `body` begins, and `next` when it ends.
std::optional<Growth> find_growth(const Model& model, const Graph& body, ValueId state,
                                  ValueId next);

// Whether a value is a sequence, as far as the node that makes it says.
bool is_made_sequence(const Graph& graph, ValueId value);

}  // namespace subbyte
