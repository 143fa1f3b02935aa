#include "quantize/fit/grid_matrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "quantize/bits.h"
#include "quantize/half.h"

namespace subbyte::fit {
namespace {

std::size_t size_of(std::int64_t count) { return static_cast<std::size_t>(count); }

}  // namespace

GridMatrix::GridMatrix(const PackedMatrix& packed)
    : encoding(std::get<AffineEncoding>(packed.encoding)),
      rows(packed.rows),
      k(packed.k),
      groups(groups_in_row(encoding, k)),
      codes(size_of(rows * k)),
      scales(size_of(rows * groups)),
      zeros(size_of(rows * groups), encoding.zero_default) {
  const RowLayout row = row_layout(encoding, k);
  std::vector<std::uint8_t> stored(size_of(groups));
  for (std::int64_t r = 0; r < rows; ++r) {
    unpack_bits(packed.values.data() + r * row.values, size_of(k), encoding.bits,
                codes.data() + r * k);
    for (std::int64_t g = 0; g < groups; ++g) {
      std::uint16_t half = 0;
      std::memcpy(&half, packed.scales.data() + r * row.scales + 2 * g, sizeof(half));
      scales[size_of(r * groups + g)] = half_to_float(half);
    }
    if (encoding.zero_bits == 0) continue;
    unpack_bits(packed.zero_points.data() + r * row.zero_points, size_of(groups),
                encoding.zero_bits, stored.data());
    for (std::int64_t g = 0; g < groups; ++g)
      zeros[size_of(r * groups + g)] = static_cast<float>(stored[size_of(g)]) * encoding.zero_step;
  }
}

PackedMatrix GridMatrix::packed(const float* exact) const {
  PackedMatrix matrix{.encoding = encoding, .rows = rows, .k = k};
  const RowLayout row = row_layout(encoding, k);
  matrix.values.resize(size_of(rows * row.values));
  matrix.scales.resize(size_of(rows * row.scales));
  matrix.zero_points.resize(size_of(rows * row.zero_points));
  std::vector<std::uint8_t> stored(size_of(groups));
  std::vector<float> decoded(size_of(k));
  for (std::int64_t r = 0; r < rows; ++r) {
    pack_bits(codes.data() + r * k, size_of(k), encoding.bits,
              matrix.values.data() + r * row.values);
    for (std::int64_t g = 0; g < groups; ++g) {
      const std::uint16_t half = float_to_half(scales[size_of(r * groups + g)]);
      std::memcpy(matrix.scales.data() + r * row.scales + 2 * g, &half, sizeof(half));
      stored[size_of(g)] =
          static_cast<std::uint8_t>(zeros[size_of(r * groups + g)] / encoding.zero_step);
    }
    if (encoding.zero_bits > 0)
      pack_bits(stored.data(), size_of(groups), encoding.zero_bits,
                matrix.zero_points.data() + r * row.zero_points);
    unpack(matrix, r, 1, decoded.data());
    matrix.distortion.add(exact + r * k, decoded.data(), size_of(k));
  }
  return matrix;
}

}  // namespace subbyte::fit
