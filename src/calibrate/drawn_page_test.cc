#include "calibrate/drawn_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace subbyte {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::Le;

std::vector<float> drawn(std::int64_t height, std::int64_t width, std::uint64_t seed = 1) {
  Random random(seed);
  return drawn_page(height, width, random);
}

float darkest(const std::vector<float>& values, std::int64_t first, std::int64_t count) {
  return *std::min_element(values.begin() + first, values.begin() + first + count);
}

TEST(DrawnPage, AnySizeStaysWithinTheRange) {
  for (const std::int64_t height : {1, 2, 7, 48, 64, 65, 130}) {
    for (const std::int64_t width : {1, 3, 20, 64, 321}) {
      const auto values = drawn(height, width);
      EXPECT_EQ(values.size(), static_cast<std::size_t>(height * width));
      EXPECT_THAT(values, Each(AllOf(Ge(-1.0f), Le(1.0f)))) << height << " x " << width;
    }
  }
}

TEST(DrawnPage, SeedsDiffer) {
  EXPECT_EQ(drawn(48, 320, 1), drawn(48, 320, 1));
  EXPECT_NE(drawn(48, 320, 1), drawn(48, 320, 2));
}

// One line over the height of a low image, with margins above and below; several on a page.
TEST(DrawnPage, LinesFitTheImage) {
  constexpr float kInk = 0;
  const auto line = drawn(48, 320);
  EXPECT_GT(darkest(line, 0, 6 * 320), kInk);
  EXPECT_LT(darkest(line, 20 * 320, 8 * 320), kInk);
  EXPECT_GT(darkest(line, 42 * 320, 6 * 320), kInk);

  const auto page = drawn(128, 128);
  int lines = 0;
  bool inside = false;
  for (std::int64_t y = 0; y < 128; ++y) {
    const bool ink = darkest(page, y * 128, 128) < kInk;
    lines += ink && !inside;
    inside = ink;
  }
  EXPECT_GE(lines, 3);
}

}  // namespace
}  // namespace subbyte
