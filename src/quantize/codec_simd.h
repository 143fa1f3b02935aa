// The search of codec_reference.h for many groups at once, one group a SIMD lane, so that the sums
// of a group are in order whatever the width of a vector: the same numbers on every machine.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quantize/group_search.h"

namespace subbyte {

// Groups of a batch. Element i of group g stands at x[i * kBatchGroups + g].
inline constexpr std::size_t kBatchGroups = 64;

// Scale and zero point of each of the kBatchGroups groups of `count` (at least 1) finite,
// normalised values. All arrays are aligned to 64 bytes.
void search_batch(const float* x, std::size_t count, const Grid& grid, ScaleSearch search,
                  float* scales, float* zeros);

// Their codes, laid out as x is.
void quantize_batch(const float* x, std::size_t count, const Grid& grid, const float* scales,
                    const float* zeros, std::uint8_t* codes);

}  // namespace subbyte
