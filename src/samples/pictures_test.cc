// Pictures that are drawn: within their range, of several kinds, the same again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "samples/lettered_page.h"
#include "samples/made_pictures.h"
#include "samples/natural_picture.h"

namespace subbyte {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::Le;

using Draw = Picture (*)(std::int64_t, std::int64_t, std::int64_t, Random&);
constexpr Draw kDraws[] = {lettered_page, natural_picture};

std::vector<float> drawn(Draw draw, std::int64_t height, std::int64_t width, std::uint64_t seed) {
  Random random(seed);
  return draw(3, height, width, random).values;
}

TEST(Pictures, AnySizeStaysWithinTheRange) {
  for (const Draw draw : kDraws) {
    for (const std::int64_t height : {1, 2, 7, 48, 130}) {
      for (const std::int64_t width : {1, 3, 64, 321}) {
        const auto values = drawn(draw, height, width, 1);
        EXPECT_EQ(values.size(), static_cast<std::size_t>(3 * height * width));
        EXPECT_THAT(values, Each(AllOf(Ge(0.0f), Le(1.0f)))) << height << " x " << width;
      }
    }
  }
}

TEST(Pictures, SeedsDiffer) {
  for (const Draw draw : kDraws) {
    EXPECT_EQ(drawn(draw, 48, 320, 1), drawn(draw, 48, 320, 1));
    EXPECT_NE(drawn(draw, 48, 320, 1), drawn(draw, 48, 320, 2));
  }
}

// Letters have contrast: darkest and lightest tenth are far apart, whatever their polarity.
TEST(Pictures, PagesHaveInk) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    for (const std::int64_t height : {48, 128}) {
      auto values = drawn(lettered_page, height, 256, seed);
      std::ranges::sort(values);
      const float apart = values[values.size() * 9 / 10] - values[values.size() / 10];
      EXPECT_GT(apart, 0.15f) << "seed " << seed << ", height " << height;
    }
  }
}

// Differences of pixels 16 apart are much larger than those of neighbours; of white noise, the
// same.
double roughness(const std::vector<float>& values, std::int64_t width) {
  double near = 0, far = 0;
  for (std::size_t i = 0; i + 16 < values.size(); ++i) {
    if (static_cast<std::int64_t>(i) % width + 16 >= width) continue;
    near += std::pow(values[i + 1] - values[i], 2);
    far += std::pow(values[i + 16] - values[i], 2);
  }
  return near / far;
}

TEST(Pictures, NaturalOnesAreSmooth) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed)
    EXPECT_LT(roughness(drawn(natural_picture, 128, 128, seed), 128), 0.3) << seed;
  Random random(1);
  EXPECT_LT(roughness(natural_noise(128, 128, random), 128), 0.6);
}

TEST(Pictures, NoiseHasUnitVariance) {
  double square = 0, count = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Random random(seed);
    for (const float value : natural_noise(32, 48, random)) {
      square += static_cast<double>(value) * value;
      ++count;
    }
  }
  EXPECT_NEAR(square / count, 1, 0.3);
}

// Samples go round the kinds and the ranges; channels may come last; a film moves.
TEST(Pictures, KindsAndRangesGoRound) {
  const InputContent content{.content = Content::image, .planes = {1, 2, 3}};
  const std::int64_t dims[] = {1, 3, 32, 32};
  const auto range = [&](std::size_t index) {
    Random random(7);
    const auto values = made_planes(content, dims, index, random);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return std::pair(*low, *high);
  };
  EXPECT_LT(range(0).first, -0.05f);
  EXPECT_GE(range(0).first, -1.0f);
  EXPECT_LE(range(0).second, 1.0f);
  EXPECT_GE(range(2).first, 0.0f);
  EXPECT_LE(range(2).second, 1.0f);
  EXPECT_GT(range(7).second, 2.0f);  // noise, normalised
}

TEST(Pictures, ARangeThatTheModelSays) {
  const InputContent content{
      .content = Content::image, .planes = {3, 1, 2}, .range = std::pair(0.0f, 255.0f)};
  const std::int64_t dims[] = {1, 32, 32, 3};
  Random random(7);
  const auto values = made_planes(content, dims, 3, random);
  EXPECT_GT(*std::ranges::max_element(values), 200.0f);
  EXPECT_THAT(values, Each(AllOf(Ge(0.0f), Le(255.0f))));
}

TEST(Pictures, FilmsMove) {
  const InputContent content{.content = Content::image, .planes = {1, 3, 4}};
  const std::int64_t dims[] = {1, 1, 2, 16, 16};
  Random random(7);
  const auto values = made_planes(content, dims, 0, random);
  for (std::size_t i = 0; i < 14; ++i) EXPECT_EQ(values[256 + i], values[i + 2]);
  const std::vector<float> first(values.begin(), values.begin() + 256);
  EXPECT_NE(first, std::vector<float>(values.begin() + 256, values.end()));
}

}  // namespace
}  // namespace subbyte
