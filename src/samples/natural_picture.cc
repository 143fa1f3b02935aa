#include "samples/natural_picture.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace subbyte {

namespace {

constexpr std::int64_t kThings = 48;

// An ellipse or a rectangle, turned by any angle.
class Thing {
 public:
  Thing(std::int64_t height, std::int64_t width, Random& random) {
    middle_y = random.between(0, static_cast<float>(height));
    middle_x = random.between(0, static_cast<float>(width));
    // Radii r with a density that falls as r^-3.
    const float largest = 0.4f * static_cast<float>(std::max(height, width));
    const float smallest = std::max(1.0f, largest / 16);
    const float share = smallest * smallest / (largest * largest);
    const float radius = smallest / std::sqrt(random.between(share, 1));
    const float flat = random.between(0.35f, 1);
    long_ = radius;
    short_ = std::max(1.0f, radius * flat);
    // A point of the circle without sines: t = tan(angle / 2).
    const float t = random.number();
    cosine_ = (1 - t * t) / (1 + t * t);
    sine_ = 2 * t / (1 + t * t);
    is_round_ = random.below(2) == 0;
  }

  // How much of the pixel it covers.
  float covers(float y, float x) const {
    const float along = std::abs(cosine_ * (x - middle_x) + sine_ * (y - middle_y)) / long_;
    const float across = std::abs(cosine_ * (y - middle_y) - sine_ * (x - middle_x)) / short_;
    const float away =
        is_round_ ? std::sqrt(along * along + across * across) : std::max(along, across);
    return std::clamp((1 - away) * short_ + 0.5f, 0.0f, 1.0f);
  }
  float reach() const { return 1.5f * long_ + 2; }

  float middle_y = 0, middle_x = 0;

 private:
  float long_ = 1, short_ = 1, cosine_ = 1, sine_ = 0;
  bool is_round_ = true;
};

class Scene {
 public:
  Scene(std::int64_t channels, std::int64_t height, std::int64_t width, Random& random)
      : picture_(channels, height, width),
        random_(random),
        rough_(natural_noise(height, width, random)) {}

  void background() {
    const Surface surface = make_surface();
    for (std::int64_t y = 0; y < picture_.height; ++y)
      for (std::int64_t x = 0; x < picture_.width; ++x) paint(surface, y, x, 1);
  }

  void put(const Thing& thing) {
    const Surface surface = make_surface();
    const auto from = [](float at) {
      return std::max<std::int64_t>(0, static_cast<std::int64_t>(at));
    };
    const float reach = thing.reach();
    const std::int64_t bottom = std::min(picture_.height, from(thing.middle_y + reach));
    const std::int64_t right = std::min(picture_.width, from(thing.middle_x + reach));
    for (std::int64_t y = from(thing.middle_y - reach); y < bottom; ++y) {
      for (std::int64_t x = from(thing.middle_x - reach); x < right; ++x) {
        const float share = thing.covers(static_cast<float>(y), static_cast<float>(x));
        if (share > 0) paint(surface, y, x, share);
      }
    }
  }

  Picture picture() && { return std::move(picture_); }

 private:
  struct Surface {
    std::vector<float> colour;  // by channel
    float down = 0, right = 0;  // how the shade changes over the whole picture
    float texture = 0;
    std::int64_t offset = 0;  // into the texture
  };

  Surface make_surface() {
    Surface surface;
    const float lightness = random_.between(0.05f, 0.95f);
    for (std::int64_t c = 0; c < picture_.channels; ++c)
      surface.colour.push_back(lightness + 0.25f * random_.number());
    surface.down = 0.4f * random_.number();
    surface.right = 0.4f * random_.number();
    surface.texture = random_.between(0, 0.12f);
    surface.offset = random_.below(static_cast<std::int64_t>(rough_.size()));
    return surface;
  }

  void paint(const Surface& surface, std::int64_t y, std::int64_t x, float share) {
    const auto place = static_cast<std::size_t>(y * picture_.width + x + surface.offset);
    const float down = static_cast<float>(y) / static_cast<float>(picture_.height) - 0.5f;
    const float right = static_cast<float>(x) / static_cast<float>(picture_.width) - 0.5f;
    const float shade = surface.down * down + surface.right * right +
                        surface.texture * rough_[place % rough_.size()];
    for (std::int64_t c = 0; c < picture_.channels; ++c) {
      float& value = picture_.at(c, y, x);
      value += (surface.colour[static_cast<std::size_t>(c)] + shade - value) * share;
    }
  }

  Picture picture_;
  Random& random_;
  std::vector<float> rough_;
};

}  // namespace

Picture natural_picture(std::int64_t channels, std::int64_t height, std::int64_t width,
                        Random& random) {
  Scene scene(channels, height, width, random);
  scene.background();
  for (std::int64_t i = 0; i < kThings; ++i) scene.put(Thing(height, width, random));
  Picture picture = std::move(scene).picture();
  blur(picture, random.below(3));
  add_grain(picture, random.between(0, 0.03f), random);
  return picture;
}

}  // namespace subbyte
