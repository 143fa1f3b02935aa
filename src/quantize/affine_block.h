// A block of rows of floats to the bytes of an affine matrix.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quantize/distortion.h"
#include "quantize/format.h"
#include "quantize/group_search.h"

namespace subbyte {

// Where the rows of a block go: the first row of each part, all bytes 0 before.
struct BlockOutput {
  std::byte* values;
  std::byte* scales;
  std::byte* zero_points;
  RowLayout row;
};

// Encodes rows x k finite floats, row-major.
Distortion pack_affine_block(const float* values, std::int64_t rows, std::int64_t k,
                             const AffineEncoding& encoding, ScaleSearch search,
                             const BlockOutput& out);

}  // namespace subbyte
