// What is known of a constant beside its elements: the names that the source has for them, and
// whether a definition gives them.
#pragma once

#include <optional>
#include <string>

#include "graph/graph.h"

namespace subbyte {

// `to` stands for the tensor of that name in the source too.
void add_alias(Value& to, const std::string& name);
// The source's form of a node's result, a constant that holds the elements of its input 0, a
// constant too; nullopt where no order of the source's axes says it. `input_was_folded`: input 0 is
// none of the source's own tensors.
std::optional<SourceForm> source_behind(const Graph& graph, const Node& node,
                                        bool input_was_folded);
// `to` holds the elements of `from`, whatever their shape or order: it stands for the same tensors,
// and is as defined.
void inherit_origin(Value& to, const Value& from);

}  // namespace subbyte
