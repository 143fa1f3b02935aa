#include "quantize/series.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "graph/half.h"

namespace subbyte {
namespace {

constexpr double kFloat = 0x1p-24, kHalf = 0x1p-11, kBrain = 0x1p-8;

std::vector<float> made(std::size_t count, const std::function<double(double)>& formula) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(formula(static_cast<double>(i)));
  return values;
}

std::vector<float> rounded(std::vector<float> values, double unit) {
  for (float& v : values) {
    if (unit == kHalf) v = half_to_float(float_to_half(v));
    if (unit == kBrain) v = bfloat16_to_float(float_to_bfloat16(v));
  }
  return values;
}

std::vector<float> normal(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  // Irwin and Hall's sum of twelve, alike on every machine.
  for (float& v : values) {
    for (int i = 0; i < 12; ++i) v += static_cast<float>(random()) * 0x1p-32f;
    v -= 6;
  }
  return values;
}

TEST(Series, RampsAndGrids) {
  EXPECT_EQ(judge_series(made(16, [](double i) { return i; }), kHalf), Series::regular);
  EXPECT_EQ(judge_series(made(5, [](double i) { return 0.1 + 0.37 * i; }), kFloat),
            Series::regular);
  EXPECT_EQ(judge_series(made(4, [](double i) { return i; }), kHalf), Series::plain);
  // The columns of a grid of 16 x 16 places, in a row.
  EXPECT_EQ(judge_series(made(256, [](double i) { return std::fmod(i, 16) * 7.3; }), kFloat),
            Series::regular);
  EXPECT_EQ(judge_series(made(256, [](double i) { return std::floor(i / 16) * 7.3; }), kFloat),
            Series::regular);
  // Three anchors at each of 20 places a row, then at each of 10.
  const auto anchors = [](double i) {
    const bool fine = i < 1200;
    const double places = fine ? 20 : 10, place = std::floor((fine ? i : i - 1200) / 3);
    return (std::fmod(place, places) + 0.5) * 640 / places - std::exp(std::fmod(i, 3)) * 17.3;
  };
  EXPECT_EQ(judge_series(made(1500, anchors), kFloat), Series::regular);
  EXPECT_EQ(judge_series(made(64, [](double i) { return std::min(i, 63 - i) / 7; }), kFloat),
            Series::regular);
}

TEST(Series, Waves) {
  for (const double frequency : {1.0, 0.3, 0.01, 2.9, 5.0}) {
    for (const double first : {0.0, 3.0, 17.4}) {
      const auto wave = [=](double i) { return std::sin((i + first) * frequency); };
      const auto moved = [=](double i) { return 4.5 * wave(i) + 1.7; };
      const auto rows = [=](double i) { return wave(std::fmod(i, 14)); };
      const auto columns = [=](double i) { return wave(std::floor(i / 14)); };
      EXPECT_EQ(judge_series(made(64, wave), kFloat), Series::regular) << frequency << ' ' << first;
      EXPECT_EQ(judge_series(made(1024, moved), kFloat), Series::regular) << frequency;
      EXPECT_EQ(judge_series(made(196, rows), kFloat), Series::regular) << frequency;
      EXPECT_EQ(judge_series(made(196, columns), kFloat), Series::regular) << frequency;
    }
  }
  // After a row of zeros for the class.
  const auto late = [](double i) { return i == 0 ? 0 : std::cos(std::fmod(i - 1, 14) * 0.7); };
  EXPECT_EQ(judge_series(made(197, late), kFloat), Series::regular);
  const auto hann = [](double i) { return 0.5 - 0.5 * std::cos(2 * std::numbers::pi * i / 400); };
  EXPECT_EQ(judge_series(made(400, hann), kFloat), Series::regular);
}

TEST(Series, AnglesInFloat32) {
  for (const float frequency : {1.0f, 0.31f, 0.0123f}) {
    const auto wave = [=](double i) { return std::sin(double{static_cast<float>(i) * frequency}); };
    EXPECT_EQ(judge_series(made(1024, wave), kFloat), Series::regular) << frequency;
  }
}

TEST(Series, RoundedToHalves) {
  const auto wave = made(512, [](double i) { return std::sin(i * 0.7); });
  EXPECT_EQ(judge_series(rounded(wave, kHalf), kHalf), Series::regular);
  EXPECT_EQ(judge_series(rounded(wave, kBrain), kBrain), Series::regular);
  EXPECT_EQ(judge_series(rounded(wave, kHalf), kFloat), Series::free);
}

TEST(Series, GeometricAndSlow) {
  EXPECT_EQ(judge_series(made(32, [](double i) { return std::pow(10000, -i / 32); }), kFloat),
            Series::regular);
  double product = 1;
  const auto noise = made(1000, [&](double i) {
    product *= 1 - (1e-4 + (0.02 - 1e-4) * i / 999);
    return product;
  });
  EXPECT_EQ(judge_series(noise, kFloat), Series::regular);
}

TEST(Series, TrainedNumbersAreFree) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    for (const std::size_t count : {8u, 32u, 768u}) {
      const auto values = normal(count, seed);
      EXPECT_EQ(judge_series(values, kFloat), Series::free) << seed;
      EXPECT_EQ(judge_series(rounded(values, kHalf), kHalf), Series::free) << seed;
      if (count > 8) {
        EXPECT_EQ(judge_series(rounded(values, kBrain), kBrain), Series::free) << seed;
      }
    }
  }
}

TEST(Series, TrainedNumbersOfOddKinds) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto values = normal(512, seed);
    // One far larger than all others, in bfloat16.
    auto outlier = values;
    outlier[100] = 5000;
    EXPECT_NE(judge_series(rounded(outlier, kBrain), kBrain), Series::regular) << seed;
    // Near 1, as scales of normalisations are.
    auto scales = values;
    for (float& v : scales) v = 1 + v * 1e-3f;
    EXPECT_NE(judge_series(rounded(scales, kBrain), kBrain), Series::regular) << seed;
    EXPECT_EQ(judge_series(scales, kFloat), Series::free) << seed;
    // On a grid of few values, and with nine of ten pruned.
    for (const float levels : {1.0f, 3.0f, 7.0f}) {
      auto codes = values;
      for (float& v : codes) v = std::clamp(std::round(v * levels / 2), -levels, levels) * 0.013f;
      EXPECT_NE(judge_series(codes, kFloat), Series::regular) << seed << ' ' << levels;
    }
    auto pruned = values;
    for (std::size_t i = 0; i < pruned.size(); ++i) pruned[i] = i % 10 == seed % 10 ? values[i] : 0;
    EXPECT_NE(judge_series(pruned, kFloat), Series::regular) << seed;
    // A smooth curve that was learned: noise of a thousandth of it.
    auto smooth = values;
    for (std::size_t i = 0; i < smooth.size(); ++i)
      smooth[i] = std::sin(static_cast<float>(i) * 0.05f) + values[i] * 1e-3f;
    EXPECT_EQ(judge_series(smooth, kFloat), Series::free) << seed;
  }
}

TEST(Series, WhatSaysNothing) {
  EXPECT_EQ(judge_series(std::vector<float>(100, 0.7f), kFloat), Series::plain);
  EXPECT_EQ(judge_series(std::vector<float>{}, kFloat), Series::plain);
  auto zeros = std::vector<float>(100, 0.0f);
  zeros[4] = 3;
  EXPECT_EQ(judge_series(zeros, kFloat), Series::plain);
  auto infinite = made(16, [](double i) { return i; });
  infinite[3] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(judge_series(infinite, kFloat), Series::free);
}

}  // namespace
}  // namespace subbyte
