#include "graph/grid.h"

#include <algorithm>
#include <numeric>

namespace subbyte {
namespace {

// The largest block along an axis within which all numbers are equal: the greatest common divisor
// of the places where one differs from the one before.
std::int64_t block_along(const GridLevels& levels, std::size_t axis) {
  std::int64_t inner = 1, block = 0;
  for (std::size_t i = axis + 1; i < levels.dims.size(); ++i) inner *= levels.dims[i];
  const std::int64_t size = levels.dims[axis];
  const auto count = static_cast<std::int64_t>(levels.values.size());
  for (std::int64_t at = 0; at < count; ++at) {
    const std::int64_t place = at / inner % size;
    const auto i = static_cast<std::size_t>(at);
    if (place > 0 && levels.values[i] != levels.values[i - static_cast<std::size_t>(inner)])
      block = std::gcd(block, place);
  }
  return block == 0 ? size : block;
}

// The first of each block along an axis.
GridLevels thinned(const GridLevels& levels, std::size_t axis, std::int64_t block) {
  GridLevels result = levels;
  result.values.clear();
  std::int64_t inner = 1;
  for (std::size_t i = axis + 1; i < levels.dims.size(); ++i) inner *= levels.dims[i];
  for (std::size_t i = 0; i < levels.values.size(); ++i) {
    if (static_cast<std::int64_t>(i) / inner % levels.dims[axis] % block == 0)
      result.values.push_back(levels.values[i]);
  }
  result.dims[axis] = (levels.dims[axis] + block - 1) / block;
  result.block[axis] = block;
  return result;
}

}  // namespace

std::vector<std::int64_t> GridLevels::strides() const {
  std::vector<std::int64_t> result(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) result[i - 1] = result[i] * dims[i];
  return result;
}

GridLevels uniform_levels(float value, const std::vector<std::int64_t>& dims) {
  GridLevels levels{{value}, std::vector<std::int64_t>(dims.size(), 1), dims};
  for (std::int64_t& block : levels.block) block = std::max<std::int64_t>(block, 1);
  return levels;
}

GridLevels levels_of(const Tensor& floats, const std::vector<std::int64_t>& dims) {
  if (floats.dims.size() > dims.size() || floats.elements() == 0) return {};
  GridLevels levels;
  levels.dims.assign(dims.size() - floats.dims.size(), 1);
  levels.dims.insert(levels.dims.end(), floats.dims.begin(), floats.dims.end());
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (levels.dims[i] != 1 && levels.dims[i] != dims[i]) return {};
    levels.block.push_back(levels.dims[i] == 1 ? std::max<std::int64_t>(dims[i], 1) : 1);
  }
  levels.values.resize(static_cast<std::size_t>(floats.elements()));
  read_floats(floats, 0, floats.elements(), levels.values.data());
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (levels.dims[axis] == 1) continue;
    const std::int64_t block = block_along(levels, axis);
    if (block > 1) levels = thinned(levels, axis, block);
  }
  return levels;
}

void read_grid(const CodeGrid& grid, std::int64_t first, std::int64_t count, float* out) {
  const std::vector<std::int64_t>& dims = grid.codes.dims;
  const auto scale_strides = grid.scales.strides(), zero_strides = grid.zeros.strides();
  std::vector<std::int64_t> at(dims.size());
  for (std::size_t axis = dims.size(), rest = static_cast<std::size_t>(first); axis-- > 0;) {
    at[axis] = static_cast<std::int64_t>(rest % static_cast<std::size_t>(dims[axis]));
    rest /= static_cast<std::size_t>(dims[axis]);
  }
  const auto place = [&](const GridLevels& levels, const std::vector<std::int64_t>& strides) {
    std::int64_t index = 0;
    for (std::size_t i = 0; i < at.size(); ++i) index += at[i] / levels.block[i] * strides[i];
    return levels.values[static_cast<std::size_t>(index)];
  };
  const bool is_signed_code = is_signed(grid.codes.dtype);
  // The levels change along the last axis at the ends of blocks only.
  const std::size_t last = dims.empty() ? 0 : dims.size() - 1;
  for (std::int64_t done = 0; done < count;) {
    const float scale = place(grid.scales, scale_strides), zero = place(grid.zeros, zero_strides);
    std::int64_t run = 1;
    if (!dims.empty()) {
      const auto left = [&](std::int64_t block) { return block - at[last] % block; };
      run = std::min({dims[last] - at[last], left(grid.scales.block[last]),
                      left(grid.zeros.block[last]), count - done});
    }
    for (std::int64_t i = 0; i < run; ++i) {
      const auto byte = std::to_integer<std::uint8_t>(
          grid.codes.data[static_cast<std::size_t>(first + done + i)]);
      const int code = is_signed_code ? static_cast<std::int8_t>(byte) : byte;
      out[done + i] = grid.codebook.empty() ? scale * (static_cast<float>(code) - zero)
                                            : scale * grid.codebook[static_cast<std::size_t>(code)];
    }
    done += run;
    if (dims.empty()) break;
    at[last] += run;
    for (std::size_t axis = last; axis > 0 && at[axis] == dims[axis]; --axis) {
      at[axis] = 0;
      ++at[axis - 1];
    }
  }
}

bool has_grid(const Tensor& tensor) {
  return tensor.grid != nullptr && tensor.grid->codes.dims == tensor.dims;
}

}  // namespace subbyte
