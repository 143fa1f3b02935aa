#include "emit/quantized_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "graph/half.h"

namespace subbyte {

namespace {

// Number `index` of a row of numbers of `bits` bits, up to 8, the lowest bits first
// (docs/format.md).
unsigned packed_number(const std::byte* row, std::int64_t index, int bits) {
  const std::int64_t bit = index * bits;
  const auto at = static_cast<std::size_t>(bit / 8);
  const int shift = static_cast<int>(bit % 8);
  unsigned word = std::to_integer<unsigned>(row[at]);
  if (shift + bits > 8) word |= std::to_integer<unsigned>(row[at + 1]) << 8;
  return word >> shift & ((1U << bits) - 1);
}

float stored_scale(const AffineEncoding& encoding, const std::byte* row, std::int64_t index) {
  float scale = 0;
  if (encoding.scale_bits == 32) {
    std::memcpy(&scale, row + index * 4, sizeof scale);
  } else {
    std::uint16_t half = 0;
    std::memcpy(&half, row + index * 2, sizeof half);
    scale = half_to_float(half);
  }
  return std::ldexp(scale, encoding.scale_exponent);
}

}  // namespace

QuantizedCodes quantized_codes(const PackedMatrix& matrix, std::int64_t least_group) {
  const auto& encoding = std::get<AffineEncoding>(matrix.encoding);
  const RowLayout layout = row_layout(encoding, matrix.k);
  QuantizedCodes result;
  result.rows = matrix.rows;
  result.k = matrix.k;
  result.groups = groups_in_row(encoding, matrix.k);
  result.group = encoding.group;
  // A row of one group needs no more codes than it has.
  if (result.groups == 1) {
    result.group = least_group;
    while (result.group < matrix.k) result.group *= 2;
    if (least_group == 1) result.group = matrix.k;
  }
  const std::int64_t count = result.rows * result.groups;
  result.codes.resize(static_cast<std::size_t>(count * result.group));
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    const std::byte* const values = matrix.values.data() + r * layout.values;
    const std::byte* const scales = matrix.scales.data() + r * layout.scales;
    const std::byte* const zeros = matrix.zero_points.data() + r * layout.zero_points;
    std::uint8_t* const codes = result.codes.data() + r * result.groups * result.group;
    for (std::int64_t i = 0; i < matrix.k; ++i)
      codes[i] = static_cast<std::uint8_t>(packed_number(values, i, encoding.bits));
    for (std::int64_t g = 0; g < result.groups; ++g) {
      result.scales.push_back(stored_scale(encoding, scales, g));
      result.zeros.push_back(encoding.zero_bits == 0
                                 ? encoding.zero_default
                                 : static_cast<float>(packed_number(zeros, g, encoding.zero_bits)) *
                                       encoding.zero_step);
    }
  }
  return result;
}

bool QuantizedCodes::gives(const PackedMatrix& matrix) const {
  std::vector<float> row(static_cast<std::size_t>(k));
  for (std::int64_t r = 0; r < rows; ++r) {
    unpack(matrix, r, 1, row.data());
    for (std::int64_t i = 0; i < k; ++i) {
      const auto g = static_cast<std::size_t>(r * groups + i / group);
      const float code = codes[static_cast<std::size_t>(r * groups * group + i)];
      const float value = (code - zeros[g]) * scales[g];
      if (value != row[static_cast<std::size_t>(i)]) return false;
    }
  }
  return true;
}

std::optional<int> QuantizedCodes::zero_parts() const {
  for (const int parts : {1, 2, 4, 8}) {
    const bool whole = std::all_of(zeros.begin(), zeros.end(), [&](float zero) {
      const float steps = zero * static_cast<float>(parts);
      return steps == std::nearbyint(steps);
    });
    if (whole) return parts;
  }
  return std::nullopt;
}

}  // namespace subbyte
