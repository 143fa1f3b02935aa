#include "passes/fold_grid.h"

#include <algorithm>
#include <cmath>

#include "graph/narrow_float.h"
#include "graph/ops.h"
#include "reference/reference.h"

namespace subbyte {
namespace {

using GridPointer = std::shared_ptr<const CodeGrid>;

// Smaller tensors are stored as floats anyway.
constexpr std::int64_t kFewest = 16;
// Of more numbers that differ a grid says less than the floats.
constexpr std::int64_t kElementsOfLevel = 4;
// Codes and zero points meet in float32, where these and their differences are exact.
constexpr float kLargestZero = 1024;

bool all_are(const GridLevels& levels, float value) {
  return std::ranges::all_of(levels.values, [value](float v) { return v == value; });
}

bool is_worth_it(const GridLevels& levels, const Tensor& tensor) {
  const auto count = static_cast<std::int64_t>(levels.values.size());
  return count > 0 && (count == 1 || count * kElementsOfLevel <= tensor.elements());
}

GridPointer begun(const Tensor& codes) {
  const int bits = integer_bits(codes.dtype);
  if (bits == 0 || bits > 8 || codes.elements() < kFewest) return nullptr;
  CodeGrid grid;
  grid.codes = codes;
  grid.scales = uniform_levels(1, codes.dims);
  grid.zeros = uniform_levels(0, codes.dims);
  return std::make_shared<const CodeGrid>(std::move(grid));
}

GridPointer moved(const Tensor& codes, const Tensor& zeros) {
  CodeGrid grid = *codes.grid;
  if (!grid.codebook.empty() || !all_are(grid.zeros, 0) || !all_are(grid.scales, 1)) return nullptr;
  grid.zeros = levels_of(zeros, codes.dims);
  const bool whole = std::ranges::all_of(grid.zeros.values, [](float z) {
    return std::fabs(z) <= kLargestZero && z == std::floor(z);
  });
  if (!whole || !is_worth_it(grid.zeros, codes)) return nullptr;
  return std::make_shared<const CodeGrid>(std::move(grid));
}

GridPointer scaled(const Tensor& codes, const Tensor& scales) {
  CodeGrid grid = *codes.grid;
  if (!all_are(grid.scales, 1)) return nullptr;
  grid.scales = levels_of(scales, codes.dims);
  const bool finite =
      std::ranges::all_of(grid.scales.values, [](float s) { return std::isfinite(s); });
  if (!finite || !is_worth_it(grid.scales, codes)) return nullptr;
  return std::make_shared<const CodeGrid>(std::move(grid));
}

std::vector<std::int64_t> without_ones(std::vector<std::int64_t> dims) {
  std::erase(dims, 1);
  return dims;
}

// Levels of a tensor that axes of size 1 came to or went from.
GridLevels with_dims(const GridLevels& levels, const std::vector<std::int64_t>& from,
                     const std::vector<std::int64_t>& to) {
  GridLevels result{levels.values, {}, {}};
  std::size_t axis = 0;
  for (const std::int64_t dim : to) {
    if (dim == 1) {
      result.dims.push_back(1);
      result.block.push_back(1);
      continue;
    }
    while (from[axis] == 1) ++axis;
    result.dims.push_back(levels.dims[axis]);
    result.block.push_back(levels.block[axis]);
    ++axis;
  }
  return result;
}

GridPointer reshaped(const Tensor& tensor, const Tensor& output) {
  if (tensor.dims == output.dims) return tensor.grid;
  if (without_ones(tensor.dims) != without_ones(output.dims)) return nullptr;
  CodeGrid grid = *tensor.grid;
  grid.scales = with_dims(grid.scales, tensor.dims, output.dims);
  grid.zeros = with_dims(grid.zeros, tensor.dims, output.dims);
  grid.codes.dims = output.dims;
  return std::make_shared<const CodeGrid>(std::move(grid));
}

}  // namespace

GridPointer folded_grid(const Node& node, std::span<const Tensor* const> inputs,
                        const Tensor& output) {
  if (inputs.empty() || inputs[0] == nullptr || !is_float(output.dtype)) return nullptr;
  if (is_narrow_float(output.dtype)) return nullptr;  // other numbers than arrived
  const Tensor& first = *inputs[0];
  const bool same_shape = output.dims == first.dims;
  const Tensor* const second = inputs.size() > 1 ? inputs[1] : nullptr;
  switch (node.op) {
    case Op::Cast:
      return has_grid(first) ? first.grid : begun(first);
    case Op::Sub:
      return has_grid(first) && same_shape && second != nullptr ? moved(first, *second) : nullptr;
    case Op::Mul:
      if (second == nullptr) return nullptr;
      if (has_grid(first) && same_shape) return scaled(first, *second);
      return has_grid(*second) && output.dims == second->dims ? scaled(*second, first) : nullptr;
    default:
      return keeps_order(node.op) && has_grid(first) ? reshaped(first, output) : nullptr;
  }
}

}  // namespace subbyte
