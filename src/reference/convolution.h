// Convolutions on concrete sizes.
#pragma once

#include <vector>

#include "reference/call.h"

namespace subbyte::reference {

// What Conv and ConvTranspose compute with, one element of each list for each spatial axis.
struct Convolution {
  std::int64_t batch = 0, groups = 1;
  // Channels of one group.
  std::int64_t in_channels = 0, out_channels = 0;
  Dims in, kernel, out;
  Dims strides, dilations, pads_begin;
  bool transposed = false;

  std::int64_t taps() const { return product(kernel, 0, kernel.size()); }
  std::int64_t in_size() const { return product(in, 0, in.size()); }
  std::int64_t out_size() const { return product(out, 0, out.size()); }
  // The position of the input that element k of the window at o meets along an axis; -1 for none.
  std::int64_t position(std::size_t axis, std::int64_t o, std::int64_t k) const;
};

// Input [batch, groups * in_channels, in...] and weights [groups * out_channels, in_channels,
// kernel...], or transposed [groups * in_channels, out_channels, kernel...]; the result, row-major
// [batch, groups * out_channels, out...], is computed and summed in double.
std::vector<double> convolve(const Convolution& c, const Tensor& input, const Tensor& weights);

// What a Conv or, transposed, a ConvTranspose computes with on the inputs of a call. Inputs that do
// not fit each other are errors.
Expected<Convolution> convolution_of(const Call& call, bool transposed);

// Calls visit(at) for each coordinate of a box, row-major.
template <typename Visit>
void for_each_coordinate(const Dims& dims, const Visit& visit) {
  for (const std::int64_t dim : dims)
    if (dim == 0) return;
  Dims at(dims.size(), 0);
  for (;;) {
    visit(std::as_const(at));
    std::size_t axis = dims.size();
    while (axis > 0 && ++at[axis - 1] == dims[axis - 1]) at[--axis] = 0;
    if (axis == 0) return;
  }
}

}  // namespace subbyte::reference
