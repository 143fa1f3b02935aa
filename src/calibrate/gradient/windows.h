// What each element of a window meets, along rows of places.
#pragma once

#include <algorithm>

#include "reference/convolution.h"

namespace subbyte::calibrate {

// visit(place, count, from): places [place, place + count), row-major, meet through the element `k`
// of their windows the elements from, from + step, ... of a channel of the input, step the stride
// of the last axis. What lies in the padding is left out.
template <typename Visit>
void for_segments(const reference::Convolution& c, const reference::Dims& k, const Visit& visit) {
  const std::size_t last = c.out.size() - 1;
  const std::int64_t stride = c.strides[last];
  const std::int64_t x = k[last] * c.dilations[last] - c.pads_begin[last];
  const std::int64_t begin = x < 0 ? (-x + stride - 1) / stride : 0;
  const std::int64_t room = c.in[last] - x;
  const std::int64_t end = room <= 0 ? 0 : std::min(c.out[last], (room + stride - 1) / stride);
  if (end <= begin) return;
  const reference::Dims outer(c.out.begin(), c.out.end() - 1);
  std::int64_t line = 0;
  reference::for_each_coordinate(outer, [&](const reference::Dims& at) {
    std::int64_t row = 0;
    bool inside = true;
    for (std::size_t axis = 0; axis < last; ++axis) {
      const std::int64_t i = c.position(axis, at[axis], k[axis]);
      inside = inside && i >= 0;
      row = row * c.in[axis] + i;
    }
    if (inside)
      visit(line * c.out[last] + begin, end - begin, row * c.in[last] + x + begin * stride);
    ++line;
  });
}

}  // namespace subbyte::calibrate
