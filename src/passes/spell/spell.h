// The functions that spellings.def names, and what several of them share.
#pragma once

#include "passes/spell_out.h"

namespace subbyte {

// Operators may share one.
#define SPELLING(op, name) Expected<bool> spell_##name(Speller& s);
#include "passes/spell/spellings.def"

// A sequence that an Identity or a Merge passes on; false where it is none.
Expected<bool> spell_passed_sequence(Speller& s);

// Whether the axes that it is about are no constant, which the operators of computed_axes.cc may
// have.
bool has_computed_axes(const Graph& graph, const Node& node);
// Such a node by shapes that are computed of its axes. False where they are numbers after all, or
// where nothing is known of them.
Expected<bool> spell_computed_axes(Speller& s);

// Whether its second operand is broadcast as it was before opset 7, which numpy's rules are not.
bool is_old_broadcast(const Node& node, std::int64_t opset);
Expected<bool> spell_old_broadcast(Speller& s);

// Whether it is a BatchNormalization by what its own input holds.
bool takes_batch_statistics(const Node& node);
Expected<bool> spell_batch_statistics(Speller& s);

using Numbers = std::vector<std::int64_t>;

inline Attribute integer(std::string name, std::int64_t value) { return {std::move(name), value}; }

// [first, last)
Numbers axes_between(std::size_t first, std::size_t last);
ValueId reduced(Speller& s, Op op, std::string_view what, ValueId value, const Numbers& axes,
                bool keep = true);

// x * sigmoid(alpha * x)
ValueId swish(Speller& s, ValueId x, double alpha);
// x / 2 * (1 + erf(x / sqrt(2)))
ValueId erf_gelu(Speller& s, ValueId x);
// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
ValueId tanh_gelu(Speller& s, ValueId x);

}  // namespace subbyte
