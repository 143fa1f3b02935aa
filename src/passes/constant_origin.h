// What is known of a constant beside its elements: the names that the source has for them, and
// whether a definition gives them.
#pragma once

#include <string>

#include "graph/graph.h"

namespace subbyte {

// `to` stands for the tensor of that name in the source too.
void add_alias(Value& to, const std::string& name);
// `to` holds the elements of `from`, whatever their shape or order: it stands for the same tensors,
// and is as defined.
void inherit_origin(Value& to, const Value& from);

}  // namespace subbyte
