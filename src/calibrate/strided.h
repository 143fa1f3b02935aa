// Walks over tensors that lie under one shape with strides of their own: broadcast operands, views.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "calibrate/machine.h"
#include "reference/view.h"

namespace subbyte::calibrate {

// A box of `dims`, at least one axis, and for each operand the stride of each axis in elements.
// Axes of length 1 are gone, and those that lie alike in all operands are one.
struct Walk {
  Dims dims;
  std::vector<Dims> strides;

  std::int64_t row() const { return dims.back(); }  // elements of a row, along the last axis
  std::int64_t rows() const { return reference::product(dims, 0, dims.size() - 1); }
  std::int64_t step(std::size_t operand) const { return strides[operand].back(); }
};

Walk make_walk(std::span<const std::int64_t> dims, std::vector<Dims> strides);

// The strides of a tensor of shape `dims` that broadcasts to `to`.
Dims broadcast_strides(std::span<const std::int64_t> dims, std::span<const std::int64_t> to);

// Calls visit(offsets, first, count) for pieces of rows: where they begin in each operand, and in
// the box, row-major. Pieces are shared among the threads; an element costs `cost` operations.
using Visit = std::function<void(std::span<const std::int64_t> offsets, std::int64_t first,
                                 std::int64_t count)>;
void for_pieces(const Walk& walk, double cost, Machine& machine, const Visit& visit);

// The elements of a view, of 1, 2, 4 or 8 bytes, as a tensor of their own.
Expected<Made> copy_view(const Call& call, const Tensor& source, const reference::View& view,
                         Machine& machine);

}  // namespace subbyte::calibrate
