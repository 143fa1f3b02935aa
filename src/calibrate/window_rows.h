// Windows that move over one channel, row of places by row of places: depthwise convolutions and
// pools.
#pragma once

#include <optional>

#include "calibrate/machine.h"

namespace subbyte::calibrate {

// As Convolution of the reference, one element for each spatial axis.
struct WindowSizes {
  Dims in, kernel, strides, dilations, pads_begin, out;
};

// A channel with its padding around it, its last axis dealt out by the remainder of its position
// divided by the stride: what the windows of neighbouring places see are then neighbours, whatever
// stride and dilation.
class WindowRows {
 public:
  // None where the padding makes the channel larger beyond reason.
  static std::optional<WindowRows> of(const WindowSizes& sizes);

  // Floats of the padded channel, with what vectors read past the end of its rows.
  std::int64_t padded_size() const { return size_; }
  // Fills `padded` with the channel, and `fill` around it.
  void pad(const float* channel, float fill, float* padded) const;

  // For each place, row-major: the sum over the window of weight * element, the sum of the
  // elements, the greatest of them; in order of the window, row-major. A NaN is never the greatest.
  void sum_products(const float* padded, const float* weights, float* out) const;
  void sum(const float* padded, float* out) const;
  void greatest(const float* padded, float* out) const;

 private:
  // Calls row(start, out) for each row of places: where in the padded channel its windows start,
  // and which place is its first.
  template <typename Row>
  void for_rows(const Row& row) const;

  WindowSizes sizes_;
  Dims pitch_;              // of each axis but the last, in floats
  std::int64_t phase_ = 0;  // floats of one remainder's part of a row
  std::int64_t size_ = 0;
  std::vector<std::int64_t> taps_;  // of each element of the window, from where it starts
};

}  // namespace subbyte::calibrate
