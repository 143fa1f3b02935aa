// The functions that spellings.def names, and what several of them share.
#pragma once

#include "passes/spell_out.h"

namespace subbyte {

// Operators may share one.
#define SPELLING(op, name) Expected<bool> spell_##name(Speller& s);
#include "passes/spell/spellings.def"

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
