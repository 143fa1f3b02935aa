// Sizes to run a model with where the user gives none.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

// A value for each symbol of the model: small ones (times `factor` but for the first, which is a
// batch as a rule), images larger, so that all relations hold that the model is known to have:
// - a dimension whose name is an expression of others ("past_sequence_length + sequence_length");
// - a mask beside a cache spans what is in the cache and what is new, whatever its length is named;
// - model.constraints, which shape inference found. Where it finds none that hold together, some
//   may be left that do not.
std::vector<std::int64_t> likely_sizes(const Model& model, std::int64_t factor);

// Whether an input of the main graph is a cache of earlier steps (past keys and values), a mask,
// one that is true where there is nothing, or positions: by dtype, rank and name, since nothing
// else says so.
bool is_cache(const Value& input);
bool is_mask(const Value& input);
bool is_padding(const Value& input);
bool is_positions(const Value& input);

// The symbol that is the number of steps in the model's cache; none without one.
std::optional<std::size_t> cache_length(const Model& model);

}  // namespace subbyte
