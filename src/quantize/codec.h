// Rows of floats to packed rows and back. codec_reference.cc is the readable definition, codec_simd.cc the
// one that runs; both give the same bytes on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"
#include "quantize/format.h"

namespace subbyte {

// A matrix as stored: `rows` rows of row_layout(encoding, k) bytes in each part.
struct PackedMatrix {
  Encoding encoding;
  std::int64_t rows = 0;
  std::int64_t k = 0;
  std::vector<std::byte> values, scales, zero_points;
  // Sums over all elements, for the signal-to-quantization-noise ratio: of w^2 and of (w - decoded)^2.
  double signal = 0, noise = 0;
};

// The SQNR in dB, infinite for no noise.
double sqnr_db(const PackedMatrix& matrix);

// Where a row-major matrix of rows x k floats comes from: fills `out` (row_count * k floats) with the
// rows [first_row, first_row + row_count). Called from several threads at once.
using RowReader = std::function<void(std::int64_t first_row, std::int64_t row_count, float* out)>;
// Reads a constant in the order given (a transposed MatMul weight is gathered in blocks).
RowReader row_reader(const Tensor& tensor, const AxisOrder& order);

// Encodes with scales and zero points searched for the least squared error of each group. NaN and
// infinite weights are an error of the caller for affine encodings (check with all_finite). The bytes do
// not depend on `threads` or on the SIMD target.
PackedMatrix pack(const RowReader& read, std::int64_t rows, std::int64_t k, const Encoding& encoding,
                  unsigned threads = 0);

// Decodes rows [first_row, first_row + row_count) to floats: exactly the values that kernels compute with
// (the product scale * 2^scale_exponent * (q - z), every step exact or rounded once to float32).
void unpack(const PackedMatrix& matrix, std::int64_t first_row, std::int64_t row_count, float* out);

// The encoding for a width asked for by name, for a matrix of that k: zero points and steps chosen by
// measured error per byte; scale_exponent from the largest magnitude so that scales are normal halves.
AffineEncoding affine_encoding(int bits, std::int64_t k, float max_magnitude);

}  // namespace subbyte
