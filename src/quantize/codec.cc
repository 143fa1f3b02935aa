#include "quantize/codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "base/threads.h"
#include "graph/integers.h"
#include "quantize/affine_block.h"
#include "quantize/bits.h"
#include "quantize/half.h"

namespace subbyte {
namespace {

std::size_t size_of(std::int64_t count) { return static_cast<std::size_t>(count); }

float power_of_two(int exponent) { return std::ldexp(1.0f, exponent); }

void put_half(std::byte* to, float value) {
  const std::uint16_t half = float_to_half(value);
  std::memcpy(to, &half, sizeof(half));
}

float get_half(const std::byte* from) {
  std::uint16_t half = 0;
  std::memcpy(&half, from, sizeof(half));
  return half_to_float(half);
}

float get_scale(const std::byte* scales, std::size_t i, int bits) {
  if (bits == 16) return get_half(scales + 2 * i);
  float scale = 0;
  std::memcpy(&scale, scales + 4 * i, sizeof(scale));
  return scale;
}

// One row of an affine matrix, read from its bytes.
struct AffineRow {
  std::vector<std::uint8_t> codes;
  std::vector<std::uint8_t> zeros;  // as stored
  std::vector<float> scales;        // without 2^scale_exponent

  AffineRow(const AffineEncoding& encoding, std::int64_t k)
      : codes(size_of(k)), zeros(size_of(groups_in_row(encoding, k))), scales(zeros.size()) {}

  void read(const AffineEncoding& encoding, const PackedMatrix& matrix, const RowLayout& layout,
            std::int64_t row) {
    unpack_bits(matrix.values.data() + row * layout.values, codes.size(), encoding.bits,
                codes.data());
    for (std::size_t g = 0; g < scales.size(); ++g) {
      scales[g] = get_scale(matrix.scales.data() + row * layout.scales, g, encoding.scale_bits);
    }
    if (encoding.zero_bits > 0) {
      unpack_bits(matrix.zero_points.data() + row * layout.zero_points, zeros.size(),
                  encoding.zero_bits, zeros.data());
    }
  }

  void decode(const AffineEncoding& encoding, std::int64_t k, float* out) const {
    const float factor = power_of_two(encoding.scale_exponent);
    const auto group = size_of(encoding.group);
    for (std::size_t g = 0; g < scales.size(); ++g) {
      const float scale = scales[g] * factor;
      const float zero = encoding.zero_bits > 0 ? static_cast<float>(zeros[g]) * encoding.zero_step
                                                : encoding.zero_default;
      const std::size_t end = std::min(size_of(k), (g + 1) * group);
      for (std::size_t i = g * group; i < end; ++i) {
        out[i] = scale * (static_cast<float>(codes[i]) - zero);
      }
    }
  }
};

Distortion pack_block(const float* values, std::int64_t rows, std::int64_t k,
                      const AffineEncoding& encoding, ScaleSearch search, const BlockOutput& out) {
  return pack_affine_block(values, rows, k, encoding, search, out);
}

Distortion pack_block(const float* values, std::int64_t rows, std::int64_t k,
                      const FloatEncoding& encoding, ScaleSearch, const BlockOutput& out) {
  std::vector<float> decoded(size_of(k));
  Distortion distortion;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* const from = values + r * k;
    std::byte* const to = out.values + r * out.row.values;
    if (encoding.bits == 16) {
      for (std::int64_t i = 0; i < k; ++i) {
        put_half(to + 2 * i, from[i]);
        decoded[size_of(i)] = get_half(to + 2 * i);
      }
      distortion.add(from, decoded.data(), size_of(k));
    } else {
      std::memcpy(to, from, size_of(k) * sizeof(float));
      distortion.add(from, from, size_of(k));
    }
  }
  return distortion;
}

// Integers are packed by pack_integers().
Distortion pack_block(const float*, std::int64_t, std::int64_t, const IntegerEncoding&, ScaleSearch,
                      const BlockOutput&) {
  return {};
}

// No floats are encoded so; what arrived with its codes is packed by pack_arrived().
Distortion pack_block(const float*, std::int64_t, std::int64_t, const CodebookEncoding&,
                      ScaleSearch, const BlockOutput&) {
  return {};
}

void unpack_row(const CodebookEncoding& encoding, const PackedMatrix& matrix,
                const RowLayout& layout, std::int64_t row, float* out) {
  std::vector<std::uint8_t> codes(size_of(matrix.k));
  unpack_bits(matrix.values.data() + row * layout.values, codes.size(), encoding.bits,
              codes.data());
  const std::byte* const scales = matrix.scales.data() + row * layout.scales;
  for (std::size_t i = 0; i < codes.size(); ++i)
    out[i] = get_scale(scales, i / size_of(encoding.group), encoding.scale_bits) *
             encoding.values[codes[i]];
}

PackedMatrix allocate(std::int64_t rows, std::int64_t k, const Encoding& encoding) {
  PackedMatrix matrix{.encoding = encoding, .rows = rows, .k = k};
  const RowLayout row = row_layout(encoding, k);
  matrix.values.resize(size_of(rows * row.values));
  matrix.scales.resize(size_of(rows * row.scales));
  matrix.zero_points.resize(size_of(rows * row.zero_points));
  return matrix;
}

// `with_block(first, count, f)` calls f with a pointer to the floats of those rows.
template <typename WithBlock>
PackedMatrix pack_blocks(const WithBlock& with_block, std::int64_t rows, std::int64_t k,
                         const Encoding& encoding, const PackOptions& options) {
  PackedMatrix matrix = allocate(rows, k, encoding);
  if (rows <= 0 || k <= 0) return matrix;
  const RowLayout row = row_layout(encoding, k);
  const std::int64_t block = rows_in_block(rows, k);
  std::vector<Distortion> parts(size_of((rows + block - 1) / block));
  parallel_for(
      parts.size(),
      [&](std::size_t b) {
        const std::int64_t first = static_cast<std::int64_t>(b) * block;
        const std::int64_t count = std::min(block, rows - first);
        const BlockOutput out{matrix.values.data() + first * row.values,
                              matrix.scales.data() + first * row.scales,
                              matrix.zero_points.data() + first * row.zero_points, row};
        with_block(first, count, [&](const float* values) {
          parts[b] = std::visit(
              [&](const auto& kind) {
                return pack_block(values, count, k, kind, options.search, out);
              },
              encoding);
        });
      },
      options.threads);
  // In the order of the blocks, whichever thread was first.
  for (const Distortion& part : parts) matrix.distortion += part;
  return matrix;
}

}  // namespace

double sqnr_db(const PackedMatrix& matrix) { return sqnr_db(matrix.distortion); }

PackedMatrix pack(const RowReader& read, std::int64_t rows, std::int64_t k,
                  const Encoding& encoding, const PackOptions& options) {
  return pack_blocks(
      [&](std::int64_t first, std::int64_t count, const auto& with_values) {
        // Not a vector, which would write all of it once more.
        const std::unique_ptr<float[]> values(new float[size_of(count * k)]);
        read(first, count, values.get());
        with_values(values.get());
      },
      rows, k, encoding, options);
}

PackedMatrix pack(std::span<const float> values, std::int64_t rows, std::int64_t k,
                  const Encoding& encoding, const PackOptions& options) {
  return pack_blocks([&](std::int64_t first, std::int64_t,
                         const auto& with_values) { with_values(values.data() + first * k); },
                     rows, k, encoding, options);
}

Expected<PackedMatrix> pack_integers(const Tensor& tensor, std::int64_t rows, std::int64_t k,
                                     std::string_view name) {
  const auto values = integer_values(tensor);
  if (!values) {
    return fail("{}: its elements are {}; only integers and bools can be stored as 32-bit words",
                name, dtype_name(tensor.dtype));
  }
  if (const auto wide = first_wide_element(tensor)) {
    const WordRange range = word_range(*gpu_type(tensor.dtype));
    return fail(
        "{}: element {} is {}, which does not fit the 32 bits that the GPU has; {} to {} do", name,
        *wide, integer_text(tensor, *wide), range.least, range.most);
  }
  PackedMatrix matrix = allocate(rows, k, IntegerEncoding{});
  for (std::size_t i = 0; i < values->size() && 4 * i < matrix.values.size(); ++i) {
    const auto word = static_cast<std::uint32_t>((*values)[i]);
    std::memcpy(matrix.values.data() + 4 * i, &word, sizeof(word));
  }
  return matrix;
}

void unpack(const PackedMatrix& matrix, std::int64_t first_row, std::int64_t row_count,
            float* out) {
  const RowLayout layout = row_layout(matrix.encoding, matrix.k);
  if (const auto* affine = std::get_if<AffineEncoding>(&matrix.encoding)) {
    AffineRow row(*affine, matrix.k);
    for (std::int64_t r = 0; r < row_count; ++r) {
      row.read(*affine, matrix, layout, first_row + r);
      row.decode(*affine, matrix.k, out + r * matrix.k);
    }
  } else if (const auto* codebook = std::get_if<CodebookEncoding>(&matrix.encoding)) {
    for (std::int64_t r = 0; r < row_count; ++r)
      unpack_row(*codebook, matrix, layout, first_row + r, out + r * matrix.k);
  } else if (const auto* floats = std::get_if<FloatEncoding>(&matrix.encoding)) {
    for (std::int64_t r = 0; r < row_count; ++r) {
      const std::byte* const from = matrix.values.data() + (first_row + r) * layout.values;
      float* const to = out + r * matrix.k;
      if (floats->bits == 32) std::memcpy(to, from, size_of(matrix.k) * sizeof(float));
      for (std::int64_t i = 0; floats->bits == 16 && i < matrix.k; ++i)
        to[i] = get_half(from + 2 * i);
    }
  }
}

}  // namespace subbyte
