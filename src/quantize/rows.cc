#include "quantize/rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>
#include <vector>

namespace subbyte {
namespace {

// Axes of a tensor, outermost first, and the element offset of each position along them.
struct Axes {
  std::vector<std::int64_t> dims;
  std::vector<std::int64_t> strides;

  std::int64_t offset(std::int64_t position) const {
    std::int64_t sum = 0;
    for (std::size_t i = dims.size(); i-- > 0;) {
      sum += position % dims[i] * strides[i];
      position /= dims[i];
    }
    return sum;
  }
  // Positions from a multiple of which on that many offsets follow each other: the extent of the
  // inner axes that lie in memory as they stand here.
  std::int64_t run() const {
    std::int64_t length = 1;
    for (std::size_t i = dims.size(); i-- > 0;) {
      if (dims[i] == 1) continue;
      if (strides[i] != length) break;
      length *= dims[i];
    }
    return length;
  }
};

Axes pick(const std::vector<std::int64_t>& dims, const std::vector<int>& axes) {
  Axes picked;
  for (const int axis : axes) {
    std::int64_t stride = 1;
    for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < dims.size(); ++i)
      stride *= dims[i];
    picked.dims.push_back(dims[static_cast<std::size_t>(axis)]);
    picked.strides.push_back(stride);
  }
  return picked;
}

struct Gather {
  Tensor tensor;
  Axes rows, k;
  std::int64_t row_length = 0;

  // Elements that lie together along k.
  void runs_of_k(std::int64_t first_row, std::int64_t row_count, float* out) const {
    const std::int64_t run = k.run();
    for (std::int64_t r = 0; r < row_count; ++r) {
      const std::int64_t start = rows.offset(first_row + r);
      for (std::int64_t i = 0; i < row_length; i += run) {
        read_floats(tensor, start + k.offset(i), run, out + r * row_length + i);
      }
    }
  }

  // Elements that lie together along the rows: transposed through tiles, so that neither side is
  // walked one element a cache line.
  void tiles(std::int64_t first_row, std::int64_t row_count, float* out) const {
    constexpr std::int64_t kTileRows = 64;
    constexpr std::int64_t kTileK = 16;
    float tile[kTileK][kTileRows];
    const std::int64_t run = rows.run();
    for (std::int64_t r = 0; r < row_count;) {
      const std::int64_t left_in_run = run - (first_row + r) % run;
      const std::int64_t height = std::min({row_count - r, left_in_run, kTileRows});
      const std::int64_t start = rows.offset(first_row + r);
      for (std::int64_t i = 0; i < row_length; i += kTileK) {
        const std::int64_t width = std::min(row_length - i, kTileK);
        for (std::int64_t c = 0; c < width; ++c) {
          read_floats(tensor, start + k.offset(i + c), height, tile[c]);
        }
        for (std::int64_t y = 0; y < height; ++y) {
          float* const to = out + (r + y) * row_length + i;
          for (std::int64_t c = 0; c < width; ++c) to[c] = tile[c][y];
        }
      }
      r += height;
    }
  }
};

}  // namespace

bool is_axis_order(const AxisOrder& order, std::size_t rank) {
  std::vector<int> axes = order.rows;
  axes.insert(axes.end(), order.k.begin(), order.k.end());
  std::sort(axes.begin(), axes.end());
  if (axes.size() != rank) return false;
  for (std::size_t i = 0; i < rank; ++i) {
    if (axes[i] != static_cast<int>(i)) return false;
  }
  return true;
}

MatrixSize matrix_size(const std::vector<std::int64_t>& dims, const AxisOrder& order) {
  MatrixSize size;
  for (const int axis : order.rows) size.rows *= dims[static_cast<std::size_t>(axis)];
  for (const int axis : order.k) size.k *= dims[static_cast<std::size_t>(axis)];
  return size;
}

RowReader row_reader(const Tensor& tensor, const AxisOrder& order) {
  Gather gather{tensor, pick(tensor.dims, order.rows), pick(tensor.dims, order.k),
                matrix_size(tensor.dims, order).k};
  if (gather.k.run() > 1 || gather.rows.run() == 1) {
    return
        [gather = std::move(gather)](std::int64_t first_row, std::int64_t row_count, float* out) {
          gather.runs_of_k(first_row, row_count, out);
        };
  }
  return [gather = std::move(gather)](std::int64_t first_row, std::int64_t row_count, float* out) {
    gather.tiles(first_row, row_count, out);
  };
}

std::optional<std::span<const float>> rows_in_memory(const Tensor& tensor, const AxisOrder& order) {
  std::vector<int> axes = order.rows;
  axes.insert(axes.end(), order.k.begin(), order.k.end());
  const Axes all = pick(tensor.dims, axes);
  const bool in_order = all.run() == tensor.elements() && tensor.dtype == DType::float32;
  const auto address = reinterpret_cast<std::uintptr_t>(tensor.data.data());
  if (!in_order || address % alignof(float) != 0 || std::endian::native != std::endian::little) {
    return std::nullopt;
  }
  return std::span(reinterpret_cast<const float*>(tensor.data.data()),
                   static_cast<std::size_t>(tensor.elements()));
}

std::int64_t rows_in_block(std::int64_t rows, std::int64_t k) {
  constexpr std::int64_t kBlockFloats = std::int64_t{1} << 16;
  // Fewer rows would read a transposed matrix a few elements a cache line.
  constexpr std::int64_t kFewest = 8;
  return std::clamp(kBlockFloats / std::max<std::int64_t>(k, 1), kFewest,
                    std::max<std::int64_t>(rows, kFewest));
}

}  // namespace subbyte
