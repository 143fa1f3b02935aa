// Matrix products cut into panels of columns, which are shared out among the threads.
#pragma once

#include <functional>

#include "calibrate/machine.h"
#include "calibrate/product_simd.h"

namespace subbyte::calibrate {

// Rows of left operands and where their results go: a[r * a_stride + k], c[r * c_stride + n].
struct ProductRows {
  const float* a;
  std::int64_t a_stride;
  std::int64_t rows;
  float* c;
  std::int64_t c_stride;
};

// One right operand [depth, columns] and all that it multiplies: what belongs together in one
// product, so that each panel of it is packed once for all samples.
struct Product {
  std::int64_t depth, columns;
  PanelSource right;
  std::vector<ProductRows> left;
};

void multiply(std::span<const Product> products, Machine& machine);

// The element at which matrix `index` of a batch of shape `batch` begins in a tensor of shape
// `dims`, of two axes or more, whose batch broadcasts to that.
std::int64_t matrix_offset(const Dims& dims, const Dims& batch, std::int64_t index);

// The same where a right operand is not in memory but made, panel by panel: fill(columns [first,
// first + count), panel) writes all that panel_width(count) columns take.
struct MadeProduct {
  std::int64_t depth, columns;
  std::function<void(std::int64_t first, std::int64_t count, float* panel)> fill;
  ProductRows left;
};

void multiply(std::span<const MadeProduct> products, Machine& machine);

}  // namespace subbyte::calibrate
