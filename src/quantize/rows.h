// Where the numbers of a matrix come from: blocks of rows, read when they are needed, so that no
// weight is ever in memory as a whole.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "graph/graph.h"
#include "quantize/format.h"

namespace subbyte {

// Fills `out` (row_count * k floats, row-major) with the rows [first_row, first_row + row_count).
// Called from several threads at once.
using RowReader = std::function<void(std::int64_t first_row, std::int64_t row_count, float* out)>;

// Whether `order` names each axis of a tensor of this rank exactly once.
bool is_axis_order(const AxisOrder& order, std::size_t rank);

// Rows and k of the matrix: products of the dimensions named.
struct MatrixSize {
  std::int64_t rows = 1;
  std::int64_t k = 1;
};
MatrixSize matrix_size(const std::vector<std::int64_t>& dims, const AxisOrder& order);

// Reads a float constant in the order given, which is_axis_order() holds for; a transposed one is
// gathered in tiles. The reader keeps the tensor's data alive.
RowReader row_reader(const Tensor& tensor, const AxisOrder& order);

// All rows of a float32 constant where they lie in memory in this order; nullopt otherwise.
std::optional<std::span<const float>> rows_in_memory(const Tensor& tensor, const AxisOrder& order);

// Rows that are read and encoded at a time: about 256 KiB of floats, which a core's
// cache holds.
std::int64_t rows_in_block(std::int64_t rows, std::int64_t k);

}  // namespace subbyte
