#include "calibrate/window_rows.h"

#include <algorithm>

#include "calibrate/window_simd.h"
#include "graph/arithmetic.h"
#include "reference/convolution.h"

namespace subbyte::calibrate {
namespace {

// A padded channel may be so many times larger than what goes in and comes out.
constexpr std::int64_t kMostPadding = 16;

}  // namespace

std::optional<WindowRows> WindowRows::of(const WindowSizes& sizes) {
  WindowRows rows;
  rows.sizes_ = sizes;
  const std::size_t rank = sizes.out.size(), last = rank - 1;
  // Positions that windows reach, along each axis.
  Dims reach(rank);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    if (sizes.out[axis] == 0 || sizes.in[axis] == 0) return std::nullopt;
    reach[axis] = saturating_add(
        saturating_mul(sizes.out[axis] - 1, sizes.strides[axis]),
        saturating_add(saturating_mul(sizes.kernel[axis] - 1, sizes.dilations[axis]), 1));
  }
  const std::int64_t stride = sizes.strides[last];
  rows.phase_ = saturating_add(reach[last] / stride, 1 + kWindowSlack);
  std::int64_t size = saturating_mul(rows.phase_, stride);
  rows.pitch_.assign(last, 0);
  for (std::size_t axis = last; axis-- > 0;) {
    rows.pitch_[axis] = size;
    size = saturating_mul(size, reach[axis]);
  }
  rows.size_ = size;
  // Rows of the output count with what vectors read past their end.
  const std::int64_t natural = reference::product(sizes.in, 0, rank) +
                               reference::product(sizes.out, 0, rank) +
                               reference::product(sizes.out, 0, last) * kWindowSlack;
  if (size / kMostPadding > natural) return std::nullopt;
  reference::for_each_coordinate(sizes.kernel, [&](const Dims& k) {
    const std::int64_t x = k[last] * sizes.dilations[last];
    std::int64_t at = x % stride * rows.phase_ + x / stride;
    for (std::size_t axis = 0; axis < last; ++axis)
      at += k[axis] * sizes.dilations[axis] * rows.pitch_[axis];
    rows.taps_.push_back(at);
  });
  return rows;
}

void WindowRows::pad(const float* channel, float fill, float* padded) const {
  std::fill_n(padded, size_, fill);
  const std::size_t last = sizes_.out.size() - 1;
  const std::int64_t stride = sizes_.strides[last], begin = sizes_.pads_begin[last];
  const std::int64_t width = sizes_.in[last];
  Dims rows(sizes_.in.begin(), sizes_.in.end() - 1);
  std::int64_t row = 0;
  reference::for_each_coordinate(rows, [&](const Dims& at) {
    const float* const from = channel + row++ * width;
    std::int64_t to = 0;
    for (std::size_t axis = 0; axis < last; ++axis) {
      const std::int64_t position = at[axis] + sizes_.pads_begin[axis];
      const std::int64_t end = axis == 0 ? size_ : pitch_[axis - 1];
      to += position * pitch_[axis];
      // Past the last window.
      if (position * pitch_[axis] >= end) return;
    }
    float* const out = padded + to;
    // The last position that any window reaches.
    const std::int64_t reached = (phase_ - 1 - kWindowSlack) * stride + stride - 1;
    const std::int64_t count = std::min(width, reached - begin + 1);
    if (stride == 1) {
      if (count > 0) std::copy_n(from, count, out + begin);
      return;
    }
    for (std::int64_t phase = 0; phase < stride; ++phase) {
      // The first x whose position has this remainder.
      std::int64_t x = ((phase - begin) % stride + stride) % stride;
      float* write = out + phase * phase_ + (x + begin) / stride;
      for (; x < count; x += stride) *write++ = from[x];
    }
  });
}

template <typename Row>
void WindowRows::for_rows(const Row& row) const {
  const std::size_t last = sizes_.out.size() - 1;
  const Dims outer(sizes_.out.begin(), sizes_.out.end() - 1);
  std::int64_t first = 0;
  reference::for_each_coordinate(outer, [&](const Dims& at) {
    std::int64_t start = 0;
    for (std::size_t axis = 0; axis < last; ++axis)
      start += at[axis] * sizes_.strides[axis] * pitch_[axis];
    row(start, first);
    first += sizes_.out[last];
  });
}

void WindowRows::sum_products(const float* padded, const float* weights, float* out) const {
  for_rows([&](std::int64_t start, std::int64_t first) {
    window_sum_products(padded + start, taps_, weights, sizes_.out.back(), out + first);
  });
}

void WindowRows::sum(const float* padded, float* out) const {
  for_rows([&](std::int64_t start, std::int64_t first) {
    window_sum(padded + start, taps_, sizes_.out.back(), out + first);
  });
}

void WindowRows::greatest(const float* padded, float* out) const {
  for_rows([&](std::int64_t start, std::int64_t first) {
    window_greatest(padded + start, taps_, sizes_.out.back(), out + first);
  });
}

}  // namespace subbyte::calibrate
