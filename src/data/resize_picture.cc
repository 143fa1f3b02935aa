#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "data/picture_file.h"

namespace subbyte {

namespace {

// Along an axis of `before` places, `step` apart, to one of `after`.
class Resampler {
 public:
  Resampler(std::int64_t before, std::int64_t after) {
    const double scale = static_cast<double>(before) / static_cast<double>(after);
    const double reach = std::max(scale, 1.0);
    for (std::int64_t i = 0; i < after; ++i) {
      const double middle = (static_cast<double>(i) + 0.5) * scale;
      const auto first = static_cast<std::int64_t>(std::max(0.0, std::floor(middle - reach)));
      const auto end = std::min(before, static_cast<std::int64_t>(std::ceil(middle + reach)));
      Window window{first, {}};
      double sum = 0;
      for (std::int64_t at = first; at < end; ++at) {
        const double away = std::abs(static_cast<double>(at) + 0.5 - middle) / reach;
        window.weights.push_back(std::max(0.0, 1 - away));
        sum += window.weights.back();
      }
      for (double& weight : window.weights) weight /= sum;
      windows_.push_back(std::move(window));
    }
  }
  void line(const float* from, float* to, std::int64_t step) const {
    for (std::size_t i = 0; i < windows_.size(); ++i) {
      double sum = 0;
      std::int64_t at = windows_[i].first;
      for (const double weight : windows_[i].weights)
        sum += weight * static_cast<double>(from[at++ * step]);
      to[static_cast<std::int64_t>(i) * step] = static_cast<float>(sum);
    }
  }

 private:
  struct Window {
    std::int64_t first;
    std::vector<double> weights;
  };
  std::vector<Window> windows_;
};

Picture resized_down_first(const Picture& picture, std::int64_t height, std::int64_t width) {
  Picture low(picture.channels, height, picture.width), result(picture.channels, height, width);
  const Resampler across(picture.width, width), down(picture.height, height);
  for (std::int64_t c = 0; c < picture.channels; ++c) {
    // A column at a time, for the two are not as far apart.
    std::vector<float> before(static_cast<std::size_t>(picture.height));
    std::vector<float> after(static_cast<std::size_t>(height));
    for (std::int64_t x = 0; x < picture.width; ++x) {
      for (std::int64_t y = 0; y < picture.height; ++y)
        before[static_cast<std::size_t>(y)] = picture.at(c, y, x);
      down.line(before.data(), after.data(), 1);
      for (std::int64_t y = 0; y < height; ++y)
        low.at(c, y, x) = after[static_cast<std::size_t>(y)];
    }
    for (std::int64_t y = 0; y < height; ++y) across.line(&low.at(c, y, 0), &result.at(c, y, 0), 1);
  }
  return result;
}

}  // namespace

Picture resized(const Picture& picture, std::int64_t height, std::int64_t width) {
  // A tall picture of few columns first becomes lower: in between there are no more pixels than
  // before.
  const bool is_tall = picture.height * width > kMostPixels && picture.height > height;
  if (is_tall) return resized_down_first(picture, height, width);
  Picture wide(picture.channels, picture.height, width), result(picture.channels, height, width);
  const Resampler across(picture.width, width), down(picture.height, height);
  for (std::int64_t c = 0; c < picture.channels; ++c) {
    for (std::int64_t y = 0; y < picture.height; ++y)
      across.line(
          &picture.values[static_cast<std::size_t>((c * picture.height + y) * picture.width)],
          &wide.at(c, y, 0), 1);
    for (std::int64_t x = 0; x < width; ++x) {
      // Columns of `wide` and of `result` are as far apart.
      down.line(&wide.at(c, 0, x), &result.at(c, 0, x), width);
    }
  }
  return result;
}

}  // namespace subbyte
