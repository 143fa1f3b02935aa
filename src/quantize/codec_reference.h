// The definition of the codec, slow and readable. codec_simd.cc gives the same numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "quantize/group_search.h"

namespace subbyte {

// The nearest normal half above 0.
float nearest_scale(float value);

// The nearest zero point that the grid stores.
float nearest_zero(float value, const Grid& grid);

// Scale and zero point of one group of finite, normalised values.
GroupParameters search_group_reference(std::span<const float> x, const Grid& grid,
                                       ScaleSearch search);

// The code of each value.
void quantize_group_reference(std::span<const float> x, const GroupParameters& parameters,
                              const Grid& grid, std::uint8_t* codes);

}  // namespace subbyte
