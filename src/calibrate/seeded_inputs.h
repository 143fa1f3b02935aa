// Inputs to run a model on once, the same each time.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte {

// One tensor for each input of the model, of likely_sizes(): uniform numbers in [-1, 1), lines of
// letters where the input is an image of one or three channels, indices spread over the table that
// they index, masks of ones (of padding: none), positions that count on from what is in the cache.
// Other seeds draw other numbers.
Expected<std::vector<Tensor>> seeded_inputs(const Model& model, std::int64_t factor,
                                            std::uint64_t seed);

}  // namespace subbyte
