// The matrix as which a convolution's weight is stored: one definition for those who write it and
// those who read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "graph/graph.h"
#include "quantize/format.h"

namespace subbyte {

// The weight [M, C / group, kernel...] of a Conv, of that rank (at least 2): rows [0], k the axes
// of the kernel and then the channels, so that what one position of the kernel reads lies together.
AxisOrder conv_weight_order(std::size_t rank);

// Whether a ConvTranspose with a weight of these dimensions puts each input element into output
// elements of its own: one group, as much stride as kernel, no padding, no dilation, no
// output_shape. It is then a product whose result is laid out anew.
bool is_pixel_shuffle(const Node& node, std::span<const std::int64_t> dims);

// The weight [C, M / group, kernel...] of a ConvTranspose (of rank 2 at least):
//   is_pixel_shuffle    rows [1, kernel...]   k [0]
//   one group else      rows [1]              k [kernel..., 0]
//   several groups      rows [0, 1]           k [kernel...]
AxisOrder conv_transpose_weight_order(const Node& node, std::span<const std::int64_t> dims);

}  // namespace subbyte
