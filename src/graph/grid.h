// What a constant was before it became floats: codes of a few bits on a grid that arrived in the
// model. Folding keeps it beside the floats as long as they are the numbers that arrived, whatever
// their order, so that a weight can be stored as the codes that it came with.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

// One number for each block of a tensor: that of the element at `coordinates` is at
// coordinates[i] / block[i] along each axis i.
struct GridLevels {
  std::vector<float> values{};        // row-major in `dims`
  std::vector<std::int64_t> dims{};   // ceil(size of the tensor / block)
  std::vector<std::int64_t> block{};  // at least 1

  // Row-major strides of `values`, in elements.
  std::vector<std::int64_t> strides() const;
};

// Element: scale * (code - zero point), or scale * codebook[code], rounded once to float32 and then
// to the tensor's dtype. Both products are exact but for that.
struct CodeGrid {
  Tensor codes{};  // integers of at most 8 bits, of the dims of the tensor
  GridLevels scales{};
  GridLevels zeros{};
  std::vector<float> codebook{};  // empty, or a number for each code; zeros are 0 then
};

// The same number for all elements of a tensor.
GridLevels uniform_levels(float value, const std::vector<std::int64_t>& dims);
// Numbers that broadcast to a tensor of shape `dims`; what repeats along an axis is a block.
// nullptr-like (no values) where they do not broadcast.
GridLevels levels_of(const Tensor& floats, const std::vector<std::int64_t>& dims);

// Elements [first, first + count), row-major, as float32.
void read_grid(const CodeGrid& grid, std::int64_t first, std::int64_t count, float* out);

// Whether the grid is that of a tensor with its axes in the order that it has now.
bool has_grid(const Tensor& tensor);

}  // namespace subbyte
