// Integer constants beyond the 32-bit words that the GPU computes with. All other integers there
// are within the words, so a limit or a comparand beyond them says the same wherever beyond it
// lies; any other such constant is an error.
#pragma once

#include <optional>

#include "base/error.h"
#include "graph/graph.h"
#include "plan/step_code.h"

namespace subbyte {

// An error that names the first element of a constant, or of a content's constants, that does not
// fit the word of its dtype.
Expected<void> fits_words(const ExprPool& exprs, const Value& value);
Expected<void> fits_words(std::string_view what, const Tensor& tensor);

// What of a 64-bit content is computed from sizes must fit too: where that is not proved it becomes
// a constraint of the model.
void constrain_to_words(Model& model, const Value& value);

// A constant with such an element. As an output the module holds it as it is.
bool is_wide_constant(const Value& value);

// Input `i` of a Max, Min or Clip where it is a limit that no word exceeds: the least or the
// greatest word.
std::optional<Typed> outer_limit(const ExprPool& exprs, const Graph& graph, const Node& node,
                                 std::size_t i);

// The result of a comparison with a constant whose elements all lie beyond the words on one side.
std::optional<Typed> decided_comparison(const ExprPool& exprs, const Graph& graph,
                                        const Node& node);

}  // namespace subbyte
