#include "calibrate/drawn_page.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace subbyte {

namespace {

constexpr std::int64_t kColumns = 5, kRows = 7;
// Rows from above; the highest of a row's five bits is its left end.
using Glyph = std::array<std::uint8_t, kRows>;
constexpr Glyph kGlyphs[] = {
    {0x0e, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11},  // A
    {0x1e, 0x11, 0x11, 0x1e, 0x11, 0x11, 0x1e},  // B
    {0x0e, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0e},  // C
    {0x1e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1e},  // D
    {0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x1f},  // E
    {0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x10},  // F
    {0x0e, 0x11, 0x10, 0x17, 0x11, 0x11, 0x0e},  // G
    {0x11, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11},  // H
    {0x11, 0x12, 0x14, 0x18, 0x14, 0x12, 0x11},  // K
    {0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1f},  // L
    {0x11, 0x1b, 0x15, 0x15, 0x11, 0x11, 0x11},  // M
    {0x11, 0x19, 0x15, 0x13, 0x11, 0x11, 0x11},  // N
    {0x1e, 0x11, 0x11, 0x1e, 0x10, 0x10, 0x10},  // P
    {0x1e, 0x11, 0x11, 0x1e, 0x14, 0x12, 0x11},  // R
    {0x0f, 0x10, 0x10, 0x0e, 0x01, 0x01, 0x1e},  // S
    {0x1f, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04},  // T
    {0x11, 0x11, 0x11, 0x11, 0x11, 0x0a, 0x04},  // V
    {0x11, 0x11, 0x0a, 0x04, 0x0a, 0x11, 0x11},  // X
    {0x1f, 0x01, 0x02, 0x04, 0x08, 0x10, 0x1f},  // Z
    {0x0e, 0x11, 0x01, 0x06, 0x08, 0x10, 0x1f},  // 2
    {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02},  // 4
    {0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e},  // 6
    {0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08},  // 7
    {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e},  // 8
};

bool is_ink(const Glyph& glyph, std::int64_t row, std::int64_t column) {
  if (row < 0 || row >= kRows || column < 0 || column >= kColumns) return false;
  return (glyph[static_cast<std::size_t>(row)] >> (kColumns - 1 - column) & 1) != 0;
}

// How dark a place of the glyph is, in cells, between 0 and 1: linear between the cells' centres,
// so that strokes meet in slants and curves, and then made steeper.
float darkness(const Glyph& glyph, float y, float x) {
  const float top = std::floor(y - 0.5f), left = std::floor(x - 0.5f);
  const float down = y - 0.5f - top, right = x - 0.5f - left;
  float sum = 0;
  for (const int row : {0, 1}) {
    for (const int column : {0, 1}) {
      const float share = (row ? down : 1 - down) * (column ? right : 1 - right);
      const bool ink = is_ink(glyph, static_cast<std::int64_t>(top) + row,
                              static_cast<std::int64_t>(left) + column);
      if (ink) sum += share;
    }
  }
  return std::clamp(2 * sum - 0.5f, 0.0f, 1.0f);
}

class Page {
 public:
  Page(std::int64_t height, std::int64_t width, Random& random)
      : height_(height),
        width_(width),
        random_(random),
        values_(static_cast<std::size_t>(height * width)) {
    const float shade = 0.8f + 0.1f * random.number();
    const float drift = 0.1f * random.number();
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        at(y, x) = shade + drift * static_cast<float>(x + y) / static_cast<float>(height + width);
      }
    }
  }

  // Words of letters `cell` pixels a cell, from left to right until the image ends.
  void line(std::int64_t top, float cell) {
    const float ink = -0.7f + 0.2f * random_.number();
    const auto step = static_cast<std::int64_t>(cell * (kColumns + 1));
    std::int64_t left = 2 + random_.below(step);
    while (left + step < width_) {
      for (std::int64_t letters = 2 + random_.below(6); letters > 0 && left + step < width_;
           --letters) {
        letter(kGlyphs[random_.below(std::size(kGlyphs))], top, left, cell, ink);
        left += step;
      }
      left += step;
    }
  }

  std::vector<float> values() && { return std::move(values_); }

 private:
  float& at(std::int64_t y, std::int64_t x) {
    return values_[static_cast<std::size_t>(y * width_ + x)];
  }

  void letter(const Glyph& glyph, std::int64_t top, std::int64_t left, float cell, float ink) {
    const auto rows = static_cast<std::int64_t>(cell * kRows) + 1;
    const auto columns = static_cast<std::int64_t>(cell * kColumns) + 1;
    for (std::int64_t y = 0; y < rows && top + y < height_; ++y) {
      for (std::int64_t x = 0; x < columns && left + x < width_; ++x) {
        float& value = at(top + y, left + x);
        value += (ink - value) * darkness(glyph, (static_cast<float>(y) + 0.5f) / cell,
                                          (static_cast<float>(x) + 0.5f) / cell);
      }
    }
  }

  std::int64_t height_, width_;
  Random& random_;
  std::vector<float> values_;
};

}  // namespace

std::vector<float> drawn_page(std::int64_t height, std::int64_t width, Random& random) {
  Page page(height, width, random);
  constexpr std::int64_t kLowest = 64;
  if (height <= kLowest && height < width) {
    const float cell = std::max(static_cast<float>(height) / (kRows + 4), 1.0f);
    page.line(static_cast<std::int64_t>(2 * cell), cell);
    return std::move(page).values();
  }
  for (std::int64_t top = 4; top < height;) {
    const float cell = 2.0f + 0.5f * static_cast<float>(random.below(4));
    const auto room = static_cast<std::int64_t>(cell * kRows);
    if (top + room >= height) break;
    page.line(top, cell);
    top += room + 4 + random.below(8);
  }
  return std::move(page).values();
}

}  // namespace subbyte
