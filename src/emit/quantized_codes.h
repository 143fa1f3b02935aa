// An affine matrix as ONNX's operators hold it: whole codes, scales and zero points apart.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "quantize/codec.h"

namespace subbyte {

// Row by row, group by group; the last group of a row is filled up with codes that stand for
// nothing.
struct QuantizedCodes {
  std::int64_t rows = 0, k = 0, group = 0, groups = 0;
  std::vector<std::uint8_t> codes;  // rows * groups * group, q
  std::vector<float> scales;        // rows * groups
  std::vector<float> zeros;         // rows * groups, z

  // Whether scale * (q - z), as float32, is for each element what kernels compute with.
  bool gives(const PackedMatrix& matrix) const;
  // The smallest power of two, up to 8, that makes every zero point whole.
  std::optional<int> zero_parts() const;
};

// Of a matrix in an affine encoding. A group is not longer than a row needs, but at least
// `least_group` long.
QuantizedCodes quantized_codes(const PackedMatrix& matrix, std::int64_t least_group);

}  // namespace subbyte
