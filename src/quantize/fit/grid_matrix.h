// An affine matrix while its codes are being chosen.
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/codec.h"
#include "quantize/group_search.h"

namespace subbyte::fit {

// Element [r, i] is scales[r, g] * (codes[r, i] - zeros[r, g]) in units of 2^scale_exponent, g the
// group of i.
struct GridMatrix {
  AffineEncoding encoding;
  std::int64_t rows = 0, k = 0, groups = 0;
  std::vector<std::uint8_t> codes;   // rows x k
  std::vector<float> scales, zeros;  // rows x groups

  // As it is stored.
  explicit GridMatrix(const PackedMatrix& packed);
  // What it loses is measured against `exact`, rows x k weights.
  PackedMatrix packed(const float* exact) const;
  std::int64_t group_end(std::int64_t g) const { return std::min(k, (g + 1) * encoding.group); }
};

}  // namespace subbyte::fit
