// Pictures that are drawn, to run networks for images on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "calibrate/random.h"

namespace subbyte {

// channels * height * width numbers, channel by channel, rows from above; 0 is black, 1 is white.
struct Picture {
  std::int64_t channels = 0, height = 0, width = 0;
  std::vector<float> values{};

  Picture(std::int64_t channels_, std::int64_t height_, std::int64_t width_)
      : channels(channels_),
        height(height_),
        width(width_),
        values(static_cast<std::size_t>(channels_ * height_ * width_)) {}
  float& at(std::int64_t channel, std::int64_t y, std::int64_t x) {
    return values[static_cast<std::size_t>((channel * height + y) * width + x)];
  }
  float at(std::int64_t channel, std::int64_t y, std::int64_t x) const {
    return values[static_cast<std::size_t>((channel * height + y) * width + x)];
  }
};

// Each value takes a quarter of the neighbours before and after it, along both axes, `times` times.
void blur(Picture& picture, std::int64_t times);

// What a camera's sensor adds, of that standard deviation; all values stay within [0, 1].
void add_grain(Picture& picture, float deviation, Random& random);

// Value noise whose power falls with the square of the frequency, as in natural images (Field
// 1987): each octave of lattices, smoothly interpolated, has the same energy. height * width
// numbers of mean 0 and deviation 1, nearly.
std::vector<float> natural_noise(std::int64_t height, std::int64_t width, Random& random);

}  // namespace subbyte
