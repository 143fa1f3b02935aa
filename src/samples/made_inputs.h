// Inputs to run a model on where nobody gives any, the same each time.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"
#include "calibrate/executor.h"
#include "samples/input_content.h"

namespace subbyte {

// A sample of what each input holds (one of input_contents() each), of the model's symbols at
// `sizes`: pictures, sounds, ids of the table that they index, masks of ones (of padding: none),
// positions that count on from what is in the cache, and numbers that are nearly normal. Other
// seeds draw others; kinds of one content (made_pictures.h) go round with `index`.
Expected<Sample> made_inputs(const Model& model, std::span<const InputContent> contents,
                             std::span<const std::int64_t> sizes, std::uint64_t seed,
                             std::size_t index);

}  // namespace subbyte
