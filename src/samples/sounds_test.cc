// Sounds that are made, and their spectrograms.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "samples/log_mel.h"
#include "samples/made_sound.h"

namespace subbyte {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::Le;

double energy(const std::vector<float>& sound, std::size_t from, std::size_t count) {
  double sum = 0;
  for (std::size_t i = from; i < from + count; ++i) sum += static_cast<double>(sound[i]) * sound[i];
  return sum / static_cast<double>(count);
}

TEST(Sounds, StayWithinTheRange) {
  for (const std::int64_t count : {1, 5, 400, 16000}) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      Random random(seed);
      EXPECT_THAT(speech_like(count, random), Each(AllOf(Ge(-1.0f), Le(1.0f))));
      EXPECT_THAT(noise_and_tones(count, random), Each(AllOf(Ge(-1.0f), Le(1.0f))));
    }
  }
}

// Syllables and pauses: parts of 50 ms differ in loudness by more than 15 dB.
TEST(Sounds, SpeechHasPauses) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    Random random(seed);
    const auto sound = speech_like(4 * kSampleRate, random);
    double least = HUGE_VAL, most = 0;
    for (std::size_t at = 0; at + 800 <= sound.size(); at += 800) {
      least = std::min(least, energy(sound, at, 800));
      most = std::max(most, energy(sound, at, 800));
    }
    EXPECT_GT(most, 30 * least) << seed;
  }
}

TEST(Sounds, SeedsDiffer) {
  Random a(1), b(1), c(2);
  const auto sound = speech_like(1000, a);
  EXPECT_EQ(sound, speech_like(1000, b));
  EXPECT_NE(sound, speech_like(1000, c));
}

// A tone is loudest in the band that its frequency lies in.
TEST(LogMel, ATone) {
  constexpr std::int64_t kBands = 40, kFrames = 5;
  std::vector<float> sound(2000);
  for (std::size_t i = 0; i < sound.size(); ++i)
    sound[i] = static_cast<float>(
        std::sin(2 * std::numbers::pi * 1000 * static_cast<double>(i) / kSampleRate));
  const auto levels = log_mel(sound, kBands, kFrames);
  std::int64_t loudest = 0;
  for (std::int64_t band = 0; band < kBands; ++band)
    if (levels[static_cast<std::size_t>(band * kFrames + 2)] >
        levels[static_cast<std::size_t>(loudest * kFrames + 2)])
      loudest = band;
  const double top = 2595 * std::log10(1 + 8000.0 / 700),
               tone = 2595 * std::log10(1 + 1000.0 / 700);
  EXPECT_NEAR(static_cast<double>(loudest + 1), tone / top * (kBands + 1), 1);
  // The window's energy is 150, half of it on this side of 0 in few bins around a peak of 100^2.
  EXPECT_NEAR(levels[static_cast<std::size_t>(loudest * kFrames + 2)], 4, 0.4);
}

TEST(LogMel, WhatIsAfterTheEndIsSilent) {
  const auto levels = log_mel(std::vector<float>(100, 0.5f), 8, 3);
  EXPECT_EQ(levels.size(), 24u);
  EXPECT_THAT(levels, Each(AllOf(Ge(-10.0f), Le(6.0f))));
  EXPECT_EQ(levels[2], levels[5]);
}

}  // namespace
}  // namespace subbyte
