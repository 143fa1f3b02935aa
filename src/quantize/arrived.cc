#include "quantize/arrived.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/threads.h"
#include "graph/grid.h"
#include "graph/half.h"
#include "quantize/bits.h"
#include "quantize/half.h"

namespace subbyte {
namespace {

std::size_t index_of(std::int64_t i) { return static_cast<std::size_t>(i); }

// Where element (row, k) of a matrix lies among the codes, and its block among the levels: each is
// a sum of what the row and what k contributes.
struct Places {
  std::vector<std::int64_t> code, scale, zero;
};

Places places_along(const CodeGrid& grid, const std::vector<int>& axes) {
  const std::vector<std::int64_t>& dims = grid.codes.dims;
  const auto scale_strides = grid.scales.strides(), zero_strides = grid.zeros.strides();
  std::vector<std::int64_t> strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  std::int64_t count = 1;
  for (const int axis : axes) count *= dims[static_cast<std::size_t>(axis)];
  Places places;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i, code = 0, scale = 0, zero = 0;
    for (std::size_t a = axes.size(); a-- > 0;) {
      const auto axis = static_cast<std::size_t>(axes[a]);
      const std::int64_t at = rest % dims[axis];
      rest /= dims[axis];
      code += at * strides[axis];
      scale += at / grid.scales.block[axis] * scale_strides[axis];
      zero += at / grid.zeros.block[axis] * zero_strides[axis];
    }
    places.code.push_back(code);
    places.scale.push_back(scale);
    places.zero.push_back(zero);
  }
  return places;
}

// The greatest common divisor of the places where a number differs from the one before; 0 where
// none does.
std::int64_t run_of(const std::vector<std::int64_t>& places) {
  std::int64_t run = 0;
  for (std::size_t i = 1; i < places.size(); ++i)
    if (places[i] != places[i - 1]) run = std::gcd(run, static_cast<std::int64_t>(i));
  return run;
}

// Groups that kernels read (docs/kernels.md): 8, 16, or a multiple of 32.
std::optional<int> group_of(std::int64_t run, std::int64_t k, int bits) {
  if (run == 0) return static_cast<int>((k + 31) / 32 * 32);
  if (run > INT32_MAX) return std::nullopt;
  if (run % 32 == 0) return static_cast<int>(run);
  if (run % 16 == 0) return 16;
  if (run % 8 == 0 && bits >= 4) return 8;
  return std::nullopt;
}

int code_at(const CodeGrid& grid, std::int64_t i) {
  const auto byte = std::to_integer<std::uint8_t>(grid.codes.data[index_of(i)]);
  return is_signed(grid.codes.dtype) ? static_cast<std::int8_t>(byte) : byte;
}

// Of codes from `lowest` to `highest`: the bits that hold them, and what makes them unsigned.
struct CodeWidth {
  int bits = 8;
  int offset = 0;
};

CodeWidth width_of(const CodeGrid& grid) {
  int lowest = 0, highest = 0;
  const std::int64_t count = grid.codes.elements();
  for (std::int64_t i = 0; i < count; ++i) {
    const int code = code_at(grid, i);
    lowest = std::min(lowest, code);
    highest = std::max(highest, code);
  }
  if (!grid.codebook.empty()) return {4, 0};
  for (const int bits : {2, 4}) {
    const int offset = lowest < 0 ? 1 << (bits - 1) : 0;
    if (lowest + offset >= 0 && highest + offset < 1 << bits) return {bits, offset};
  }
  return {8, lowest < 0 ? 128 : 0};
}

bool is_normal_half(float value) {
  const float magnitude = std::fabs(value);
  return magnitude >= kSmallestNormalHalf && magnitude <= kLargestHalf &&
         half_to_float(float_to_half(value)) == value;
}

// How zero points are stored: all alike, or whole numbers of steps.
Expected<void> set_zeros(AffineEncoding& encoding, const GridLevels& zeros, int offset) {
  const auto [least, most] = std::ranges::minmax(zeros.values);
  if (least == most) {
    encoding.zero_bits = 0;
    encoding.zero_step = 1;
    encoding.zero_default = least + static_cast<float>(offset);
    return {};
  }
  constexpr int kFinest = 6;
  for (int halvings = 0; halvings <= kFinest; ++halvings) {
    const float step = std::ldexp(1.0f, -halvings);
    float largest = 0;
    const bool fits = std::ranges::all_of(zeros.values, [&](float zero) {
      const float steps = (zero + static_cast<float>(offset)) / step;
      largest = std::max(largest, steps);
      return steps >= 0 && steps == std::floor(steps);
    });
    if (!fits || largest > 255) continue;
    int bits = 1;
    while (largest >= static_cast<float>(1 << bits)) ++bits;
    encoding.zero_bits = bits;
    encoding.zero_step = step;
    return {};
  }
  return fail("its zero points are no numbers of 8 bits");
}

// Whether the constant's floats are those of its grid.
bool is_what_it_was(const Tensor& tensor) {
  constexpr std::int64_t kBlock = std::int64_t{1} << 16;
  const std::int64_t count = tensor.elements();
  std::vector<char> same(index_of((count + kBlock - 1) / kBlock), 1);
  parallel_for(same.size(), [&](std::size_t b) {
    const std::int64_t first = static_cast<std::int64_t>(b) * kBlock;
    const std::int64_t size = std::min(kBlock, count - first);
    std::vector<float> found(index_of(size)), expected(index_of(size));
    read_floats(tensor, first, size, found.data());
    read_grid(*tensor.grid, first, size, expected.data());
    for (std::size_t i = 0; i < found.size(); ++i) {
      const float rounded =
          tensor.dtype == DType::float16    ? half_to_float(float_to_half(expected[i]))
          : tensor.dtype == DType::bfloat16 ? bfloat16_to_float(float_to_bfloat16(expected[i]))
                                            : expected[i];
      if (found[i] != rounded) same[b] = 0;
    }
  });
  return std::ranges::all_of(same, [](char s) { return s != 0; });
}

}  // namespace

Expected<Encoding> arrived_encoding(const Tensor& tensor, const AxisOrder& order) {
  const CodeGrid& grid = *tensor.grid;
  if (tensor.elements() == 0) return fail("it has no elements");
  const Places k = places_along(grid, order.k);
  const auto columns = static_cast<std::int64_t>(k.code.size());
  const CodeWidth width = width_of(grid);
  const auto group = group_of(std::gcd(run_of(k.scale), run_of(k.zero)), columns, width.bits);
  if (!group)
    return fail(
        "its scales or zero points differ between neighbours along the axis that is summed");
  if (!is_what_it_was(tensor)) return fail("its numbers are not those of its codes any more");
  const int scale_bits = std::ranges::all_of(grid.scales.values, is_normal_half) ? 16 : 32;
  if (!grid.codebook.empty()) {
    CodebookEncoding encoding{.group = *group, .scale_bits = scale_bits};
    std::copy_n(grid.codebook.begin(), encoding.values.size(), encoding.values.begin());
    return encoding;
  }
  AffineEncoding encoding{
      .bits = width.bits, .group = *group, .scale_exponent = 0, .scale_bits = scale_bits};
  SUBBYTE_CHECK_OK(set_zeros(encoding, grid.zeros, width.offset));
  return encoding;
}

PackedMatrix pack_arrived(const Tensor& tensor, const StoredWeight& stored) {
  const CodeGrid& grid = *tensor.grid;
  // Codes of a codebook have no zero points.
  const auto* codebook = std::get_if<CodebookEncoding>(&stored.encoding);
  const AffineEncoding encoding = codebook == nullptr
                                      ? std::get<AffineEncoding>(stored.encoding)
                                      : AffineEncoding{.bits = codebook->bits,
                                                       .group = codebook->group,
                                                       .scale_bits = codebook->scale_bits};
  const Places rows = places_along(grid, stored.order.rows);
  const Places k = places_along(grid, stored.order.k);
  const int offset = width_of(grid).offset;
  const RowLayout layout = row_layout(stored.encoding, stored.k);
  const std::int64_t groups = groups_in_row(encoding, stored.k);
  PackedMatrix matrix{.encoding = stored.encoding, .rows = stored.rows, .k = stored.k};
  matrix.values.resize(index_of(stored.rows * layout.values));
  matrix.scales.resize(index_of(stored.rows * layout.scales));
  matrix.zero_points.resize(index_of(stored.rows * layout.zero_points));
  std::vector<Distortion> parts(index_of(stored.rows));
  parallel_for(parts.size(), [&](std::size_t r) {
    std::vector<std::uint8_t> codes(index_of(stored.k)), zeros(index_of(groups));
    for (std::size_t c = 0; c < codes.size(); ++c)
      codes[c] = static_cast<std::uint8_t>(code_at(grid, rows.code[r] + k.code[c]) + offset);
    pack_bits(codes.data(), codes.size(), encoding.bits,
              matrix.values.data() + r * index_of(layout.values));
    for (std::size_t g = 0; g < zeros.size(); ++g) {
      const std::size_t first = g * static_cast<std::size_t>(encoding.group);
      const float scale = grid.scales.values[index_of(rows.scale[r] + k.scale[first])];
      std::byte* const to = matrix.scales.data() + r * index_of(layout.scales);
      if (encoding.scale_bits == 16) {
        const std::uint16_t half = float_to_half(scale);
        std::memcpy(to + 2 * g, &half, sizeof(half));
      } else {
        std::memcpy(to + 4 * g, &scale, sizeof(scale));
      }
      const float zero = grid.zeros.values[index_of(rows.zero[r] + k.zero[first])];
      zeros[g] =
          static_cast<std::uint8_t>((zero + static_cast<float>(offset)) / encoding.zero_step);
    }
    if (encoding.zero_bits > 0) {
      pack_bits(zeros.data(), zeros.size(), encoding.zero_bits,
                matrix.zero_points.data() + r * index_of(layout.zero_points));
    }
    std::vector<float> decoded(index_of(stored.k));
    unpack(matrix, static_cast<std::int64_t>(r), 1, decoded.data());
    parts[r].add(decoded.data(), decoded.data(), decoded.size());
  });
  for (const Distortion& part : parts) matrix.distortion += part;
  return matrix;
}

}  // namespace subbyte
