#include "quantize/fit/cholesky.h"

#include <algorithm>
#include <cmath>

#include "calibrate/panels.h"
#include "quantize/fit/lanes.h"

namespace subbyte::fit {
namespace {

constexpr std::int64_t kBlock = 64;

// Rows [first, end) of the block of columns that begins at `block`, where all columns before are
// done and subtracted; each row from the factors of those above it in the block.
bool factor_row(float* a, std::int64_t n, std::int64_t block, std::int64_t row,
                std::int64_t columns) {
  float* const to = a + row * n + block;
  for (std::int64_t j = 0; j < columns; ++j) {
    const float* const factors = a + (block + j) * n + block;
    const bool diagonal = row == block + j;
    const float rest = to[j] - dot(to, factors, j);
    if (!diagonal) {
      to[j] = rest / factors[j];
    } else if (rest > 0 && std::isfinite(rest)) {
      to[j] = std::sqrt(rest);
    } else {
      return false;
    }
  }
  return true;
}

// Subtracts what the columns [block, end) give from all below and right of them.
void update(float* a, std::int64_t n, std::int64_t block, std::int64_t end,
            calibrate::Machine& machine) {
  constexpr std::int64_t kRows = 256;
  for (std::int64_t row = end; row < n; row += kRows) {
    const std::int64_t rows = std::min(kRows, n - row);
    const std::int64_t columns = row + rows - end;
    calibrate::Scratch products(machine, rows * columns);
    const calibrate::Product product{end - block,
                                     columns,
                                     {a + end * n + block, 1, n},
                                     {{a + row * n + block, n, rows, products.data(), columns}}};
    calibrate::multiply(std::span(&product, 1), machine);
    for (std::int64_t r = 0; r < rows; ++r)
      add_multiple(-1.0f, products.data() + r * columns, columns, a + (row + r) * n + end);
  }
}

}  // namespace

bool factor_cholesky(float* a, std::int64_t n, calibrate::Machine& machine) {
  for (std::int64_t block = 0; block < n; block += kBlock) {
    const std::int64_t end = std::min(n, block + kBlock);
    for (std::int64_t row = block; row < end; ++row)
      if (!factor_row(a, n, block, row, row - block + 1)) return false;
    machine.share(n - end, static_cast<double>((n - end) * kBlock * kBlock) / 8,
                  [&](std::int64_t i) { factor_row(a, n, block, end + i, end - block); });
    update(a, n, block, end, machine);
  }
  return true;
}

}  // namespace subbyte::fit
