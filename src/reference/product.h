// Matrix products.
#pragma once

#include "reference/call.h"

namespace subbyte::reference {

// A matrix inside a tensor: element [r, c] is element offset + r * row_stride + c * col_stride.
struct Matrix {
  const Tensor& tensor;
  std::int64_t rows, cols;
  std::int64_t row_stride, col_stride;
  std::int64_t offset = 0;
};

// A times B for float tensors, row-major [a.rows, b.cols], computed and summed in double, in order
// of k.
std::vector<double> multiply(const Matrix& a, const Matrix& b);

}  // namespace subbyte::reference
