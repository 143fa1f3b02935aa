#include "samples/picture.h"

#include <algorithm>
#include <cmath>

namespace subbyte {

namespace {

// Along a line of `count` values, `step` apart; the ends stand for what is beyond them.
void blur_line(float* line, std::int64_t count, std::int64_t step) {
  float before = line[0];
  for (std::int64_t i = 0; i < count; ++i) {
    const float here = line[i * step];
    const float after = i + 1 < count ? line[(i + 1) * step] : here;
    line[i * step] = 0.25f * before + 0.5f * here + 0.25f * after;
    before = here;
  }
}

// Numbers on a lattice, each `spacing` apart.
class Lattice {
 public:
  Lattice(std::int64_t height, std::int64_t width, std::int64_t spacing, Random& random)
      : spacing_(spacing), columns_(width / spacing + 2) {
    values_.resize(static_cast<std::size_t>((height / spacing + 2) * columns_));
    for (float& value : values_) value = random.number();
  }

  // Between four of them (Perlin's curve 3t^2 - 2t^3).
  float at(std::int64_t y, std::int64_t x) const {
    const std::int64_t row = y / spacing_, column = x / spacing_;
    const float down = smooth(y % spacing_), right = smooth(x % spacing_);
    const float* const above = values_.data() + row * columns_ + column;
    const float* const below = above + columns_;
    const float upper = above[0] + (above[1] - above[0]) * right;
    const float lower = below[0] + (below[1] - below[0]) * right;
    return upper + (lower - upper) * down;
  }

 private:
  float smooth(std::int64_t offset) const {
    const float t = static_cast<float>(offset) / static_cast<float>(spacing_);
    return t * t * (3 - 2 * t);
  }

  std::int64_t spacing_, columns_;
  std::vector<float> values_;
};

}  // namespace

void blur(Picture& picture, std::int64_t times) {
  for (std::int64_t time = 0; time < times; ++time) {
    for (std::int64_t c = 0; c < picture.channels; ++c) {
      for (std::int64_t y = 0; y < picture.height; ++y)
        blur_line(&picture.at(c, y, 0), picture.width, 1);
      for (std::int64_t x = 0; x < picture.width; ++x)
        blur_line(&picture.at(c, 0, x), picture.height, picture.width);
    }
  }
}

void add_grain(Picture& picture, float deviation, Random& random) {
  for (float& value : picture.values)
    value = std::clamp(value + deviation * random.normal(), 0.0f, 1.0f);
}

std::vector<float> natural_noise(std::int64_t height, std::int64_t width, Random& random) {
  std::vector<float> noise(static_cast<std::size_t>(height * width), 0.0f);
  std::int64_t octaves = 0;
  for (std::int64_t spacing = 1; spacing <= std::max(height, width); spacing *= 2, ++octaves) {
    const Lattice lattice(height, width, spacing, random);
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x)
        noise[static_cast<std::size_t>(y * width + x)] += lattice.at(y, x);
  }
  // A number has variance 1/3; interpolated between four it has about half of that.
  const float scale = std::sqrt(6.0f / static_cast<float>(std::max<std::int64_t>(octaves, 1)));
  for (float& value : noise) value *= scale;
  return noise;
}

}  // namespace subbyte
