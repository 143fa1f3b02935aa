// codec_reference.h over vectors: the same numbers on every machine.
//
// The search takes many groups at once, one group a SIMD lane, so that the sums of a group are in
// order whatever the width of a vector. Rounding to nearest has no such sums, and goes along rows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quantize/distortion.h"
#include "quantize/group_search.h"

namespace subbyte {

// Groups of a batch. Element i of group g stands at x[i * kBatchGroups + g].
inline constexpr std::size_t kBatchGroups = 64;

// Scale and zero point of each of the kBatchGroups groups of `count` (at least 1) finite,
// normalised values, found by that search (not none). All arrays are aligned to 64 bytes.
void search_batch(const float* x, std::size_t count, const Grid& grid, ScaleSearch search,
                  float* scales, float* zeros);

// A row of k finite weights in groups of `group`, the last of which may be a tail.
struct WeightRow {
  const float* values;
  std::size_t k;
  std::size_t group;
  float to_normal;  // 2^-scale_exponent, a factor of every value
};

// For each group the least and the greatest of its normalised values and 0.
void range_of_groups(const WeightRow& row, float* lows, float* highs);

// The scales and zero points that just cover `count` such ranges.
void cover_ranges(const float* lows, const float* highs, std::size_t count, const Grid& grid,
                  float* scales, float* zeros);

// Writes the codes of a row to codes[0 .. k - 1] and returns what they lost, in units of the
// normalised values. Partial sums are those of element i % 8, whatever the width of a vector.
Distortion quantize_row(const WeightRow& row, const Grid& grid, const float* scales,
                        const float* zeros, std::uint8_t* codes);

}  // namespace subbyte
