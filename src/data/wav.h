// Sound files (RIFF WAVE).
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace subbyte {

struct Sound {
  std::int64_t rate = 0;       // samples a second
  std::vector<float> samples;  // the mean of the channels, within [-1, 1] where the file's are
};

// Samples of 8, 16, 24 or 32 bits (PCM) or of 32 or 64 bits (IEEE float), any number of channels.
Expected<Sound> read_wav(Bytes bytes);

// Sounds are no longer than so many samples, as read and as they become an input.
inline constexpr std::int64_t kMostSoundSamples = 1 << 26;

// Linearly between samples, after a mean over what a new sample stands for where the rate falls.
// More than kMostSoundSamples are an error.
Expected<std::vector<float>> resampled(const Sound& sound, std::int64_t rate);

}  // namespace subbyte
