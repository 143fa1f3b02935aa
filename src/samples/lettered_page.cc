#include "samples/lettered_page.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "samples/glyphs.h"

namespace subbyte {

namespace {

// A picture that is lower is one line, or where it is this many times as wide as high.
constexpr std::int64_t kLineHeight = 64, kLineAspect = 3;

// How dark a place of the glyph is, in cells, between 0 and 1: linear between the cells' centres,
// so that strokes meet in slants and curves, and then made steeper; `weight` widens the strokes.
float darkness(const Glyph& glyph, float y, float x, float weight) {
  const float top = std::floor(y - 0.5f), left = std::floor(x - 0.5f);
  const float down = y - 0.5f - top, right = x - 0.5f - left;
  float sum = 0;
  for (const int row : {0, 1}) {
    for (const int column : {0, 1}) {
      const float share = (row ? down : 1 - down) * (column ? right : 1 - right);
      const bool ink = glyph.is_ink(static_cast<std::int64_t>(top) + row,
                                    static_cast<std::int64_t>(left) + column);
      if (ink) sum += share;
    }
  }
  return std::clamp(2 * sum - 0.5f + weight, 0.0f, 1.0f) * (sum > 0 ? 1.0f : 0.0f);
}

// Where there is ink, and how much of it.
class Sheet {
 public:
  Sheet(std::int64_t height, std::int64_t width, Random& random)
      : height_(height), width_(width), random_(random), ink_(1, height, width) {}

  // Words from left to right until the sheet ends, `size` pixels high.
  void line(std::int64_t top, float size) {
    const float aspect = random_.between(0.7f, 1.15f);
    const float weight = random_.between(-0.1f, 0.4f);
    const bool latin = random_.below(4) != 0;
    float left = random_.between(1, size);
    while (left < static_cast<float>(width_)) {
      for (std::int64_t letters = 2 + random_.below(8); letters > 0; --letters) {
        const Glyph glyph = latin ? random_letter(random_) : random_ideograph(random_);
        const float cell = size / static_cast<float>(glyph.rows);
        letter(glyph, top, left, cell, cell * aspect, weight);
        left += cell * aspect * static_cast<float>(glyph.columns + 1);
        if (left >= static_cast<float>(width_)) return;
      }
      left += size * random_.between(0.4f, 0.9f);
    }
  }

  // The sheet turned by a small angle about its middle.
  Picture turned(float slope) const {
    Picture result(1, height_, width_);
    const float middle_y = 0.5f * static_cast<float>(height_);
    const float middle_x = 0.5f * static_cast<float>(width_);
    for (std::int64_t y = 0; y < height_; ++y) {
      for (std::int64_t x = 0; x < width_; ++x) {
        const float down = static_cast<float>(y) - middle_y,
                    right = static_cast<float>(x) - middle_x;
        result.at(0, y, x) =
            between(middle_y + down - slope * right, middle_x + right + slope * down);
      }
    }
    return result;
  }

 private:
  void letter(const Glyph& glyph, std::int64_t top, float left, float cell_y, float cell_x,
              float weight) {
    const auto first = static_cast<std::int64_t>(left);
    const auto rows = static_cast<std::int64_t>(cell_y * static_cast<float>(glyph.rows)) + 1;
    const auto columns = static_cast<std::int64_t>(cell_x * static_cast<float>(glyph.columns)) + 2;
    for (std::int64_t y = std::max<std::int64_t>(0, -top); y < rows && top + y < height_; ++y) {
      for (std::int64_t x = 0; x < columns && first + x < width_; ++x) {
        const float column = (static_cast<float>(first + x) + 0.5f - left) / cell_x;
        float& value = ink_.at(0, top + y, first + x);
        value = std::max(value,
                         darkness(glyph, (static_cast<float>(y) + 0.5f) / cell_y, column, weight));
      }
    }
  }

  float ink(std::int64_t y, std::int64_t x) const {
    return y < 0 || y >= height_ || x < 0 || x >= width_ ? 0.0f : ink_.at(0, y, x);
  }

  float between(float y, float x) const {
    const float top = std::floor(y), left = std::floor(x);
    const float down = y - top, right = x - left;
    const auto row = static_cast<std::int64_t>(top), column = static_cast<std::int64_t>(left);
    const float upper = ink(row, column) * (1 - right) + ink(row, column + 1) * right;
    const float lower = ink(row + 1, column) * (1 - right) + ink(row + 1, column + 1) * right;
    return upper * (1 - down) + lower * down;
  }

  std::int64_t height_, width_;
  Random& random_;
  Picture ink_;
};

void write_lines(Sheet& sheet, std::int64_t height, std::int64_t width, Random& random) {
  if (height <= kLineHeight || width >= kLineAspect * height) {
    const float size = static_cast<float>(height) * random.between(0.5f, 0.95f);
    const auto room = static_cast<std::int64_t>(static_cast<float>(height) - size);
    sheet.line(random.below(room + 1), size);
    return;
  }
  // From small print to headings, the larger the fewer.
  const float print = random.between(8, 20);
  for (std::int64_t top = random.below(8); top < height;) {
    const float size = random.below(4) == 0 ? print * random.between(1.5f, 3) : print;
    sheet.line(top, size);
    top += static_cast<std::int64_t>(size * random.between(1.2f, 2.2f)) + 1;
  }
}

}  // namespace

Picture lettered_page(std::int64_t channels, std::int64_t height, std::int64_t width,
                      Random& random) {
  Sheet sheet(height, width, random);
  write_lines(sheet, height, width, random);
  const float slope = random.below(3) == 0 ? 0.06f * random.number() : 0;
  const Picture ink = sheet.turned(slope);
  // Half of the range apart at least, in either order; the light falls unevenly.
  const float dark = random.between(0, 0.3f), light = dark + random.between(0.5f, 0.7f);
  const bool inverted = random.below(4) == 0;
  const float drift = 0.15f * random.number(), texture = random.below(3) == 0 ? 0.06f : 0.0f;
  const std::vector<float> rough = natural_noise(height, width, random);
  Picture page(channels, height, width);
  for (std::int64_t c = 0; c < channels; ++c) {
    const float tint = 0.08f * random.number();
    const float paper = (inverted ? dark : light) + tint;
    const float letters = (inverted ? light : dark) - tint;
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const float along = static_cast<float>(x + y) / static_cast<float>(height + width);
        const float shade =
            drift * along + texture * rough[static_cast<std::size_t>(y * width + x)];
        const float value = paper + (letters - paper) * ink.at(0, y, x) + shade;
        page.at(c, y, x) = std::clamp(value, 0.0f, 1.0f);
      }
    }
  }
  blur(page, random.below(3) == 0 ? 1 + random.below(3) : 0);
  add_grain(page, random.between(0, 0.04f), random);
  return page;
}

}  // namespace subbyte
