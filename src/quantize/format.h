// The number format of weights: how a matrix of numbers is stored. Kernels, the codec, the manifest
// and docs/format.md all speak of an Encoding; a further width or kind is an addition here.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace subbyte {

// w ~ scale * 2^scale_exponent * (q - z): q unsigned of `bits` bits, rounded half to even; one
// scale (a normal IEEE half, or a float where the weight arrived with it) for each `group` values
// along k and each row; one zero point z for each too, or `zero_default` for all where zero_bits is
// 0.
struct AffineEncoding {
  int bits = 4;            // 8, 4, 3 or 2
  int group = 32;          // values along k
  int scale_exponent = 0;  // power of two, one for the tensor
  int scale_bits = 16;     // of a stored scale: 16 or 32
  int zero_bits = 0;       // bits of a stored zero point; 0: none is stored
  float zero_step = 1;     // z = stored * zero_step
  float zero_default = 0;  // z of every group where zero_bits is 0
  friend bool operator==(const AffineEncoding&, const AffineEncoding&) = default;
};

// IEEE 754 numbers as they are.
struct FloatEncoding {
  int bits = 32;  // 32 or 16
  friend bool operator==(const FloatEncoding&, const FloatEncoding&) = default;
};

// Two's complement (or unsigned) 32-bit integers and bools as words: index tables and masks.
struct IntegerEncoding {
  int bits = 32;
  friend bool operator==(const IntegerEncoding&, const IntegerEncoding&) = default;
};

// w = scale * values[q]: q unsigned of 4 bits, a scale for each `group` values along k and each
// row. What arrived as the 4-bit types of bitsandbytes.
struct CodebookEncoding {
  int bits = 4;
  int group = 64;
  int scale_bits = 32;  // of a stored scale: 16 or 32
  std::array<float, 16> values = {};
  friend bool operator==(const CodebookEncoding&, const CodebookEncoding&) = default;
};

using Encoding = std::variant<AffineEncoding, FloatEncoding, IntegerEncoding, CodebookEncoding>;

// Bytes of one row of each part. A row of values starts on a 32-bit word, a row of zero points on a
// byte; a group is whole words but for a tail, after which the row is padded to a word.
struct RowLayout {
  std::int64_t values = 0;
  std::int64_t scales = 0;
  std::int64_t zero_points = 0;
};
RowLayout row_layout(const Encoding& encoding, std::int64_t k);

// Each part of a weight begins at a multiple of so many bytes.
inline constexpr std::int64_t kPartAlignment = 256;
std::int64_t aligned(std::int64_t bytes);
// Of all parts of so many rows, with the padding between them.
std::int64_t stored_bytes(const RowLayout& layout, std::int64_t rows);

// Groups along k of one row, the last of which may be a tail.
std::int64_t groups_in_row(const AffineEncoding& encoding, std::int64_t k);
std::int64_t groups_in_row(const CodebookEncoding& encoding, std::int64_t k);

// The manifest's `bits`: of one value, without scales and zero points.
int value_bits(const Encoding& encoding);

// The axes of the source tensor that make up the rows and the reduction axis k of the matrix as
// packed, outermost first (the manifest's `order`). A MatMul weight [K, N] is {rows: [1], k: [0]}.
struct AxisOrder {
  std::vector<int> rows;
  std::vector<int> k;
  friend bool operator==(const AxisOrder&, const AxisOrder&) = default;
};

}  // namespace subbyte
