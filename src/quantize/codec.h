// Rows of floats to packed rows and back. codec_reference.cc is the readable definition of how
// scales, zero points and codes are chosen, codec_simd.cc the one that runs; both give the same
// bytes on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"
#include "quantize/distortion.h"
#include "quantize/encoding.h"
#include "quantize/format.h"
#include "quantize/group_search.h"
#include "quantize/rows.h"

namespace subbyte {

// A matrix as stored: `rows` rows of row_layout(encoding, k) bytes in each part.
struct PackedMatrix {
  Encoding encoding;
  std::int64_t rows = 0;
  std::int64_t k = 0;
  std::vector<std::byte> values = {};
  std::vector<std::byte> scales = {};
  std::vector<std::byte> zero_points = {};
  Distortion distortion = {};  // over all elements
};

// The SQNR in dB, infinite for no noise.
double sqnr_db(const PackedMatrix& matrix);

struct PackOptions {
  ScaleSearch search = ScaleSearch::least_squares;
  unsigned threads = 0;  // 0: as many as the machine has cores
};

// Encodes rows x k floats as an affine or float encoding, with the scales and zero points that
// options.search finds. NaN and infinite weights are an error of the caller for
// affine encodings (check with measure_weights). The bytes do not depend on the threads or on the
// SIMD target. Memory: the result, and a block of rows for each thread.
PackedMatrix pack(const RowReader& read, std::int64_t rows, std::int64_t k,
                  const Encoding& encoding, const PackOptions& options = {});
// The same for rows that lie in memory, rows * k floats, which are then not copied.
PackedMatrix pack(std::span<const float> values, std::int64_t rows, std::int64_t k,
                  const Encoding& encoding, const PackOptions& options = {});

// An integer or bool tensor, row-major as it is, as 32-bit words (IntegerEncoding); the encoding of
// unsigned types is unsigned. A value that does not fit is an error that starts with `name` (as
// shown by quoted()).
Expected<PackedMatrix> pack_integers(const Tensor& tensor, std::int64_t rows, std::int64_t k,
                                     std::string_view name);

// Decodes rows [first_row, first_row + row_count) to floats: exactly the values that kernels
// compute with (scale * 2^scale_exponent * (q - z), exact in float32 but where it falls below the
// normal floats). Not for integers.
void unpack(const PackedMatrix& matrix, std::int64_t first_row, std::int64_t row_count, float* out);

}  // namespace subbyte
