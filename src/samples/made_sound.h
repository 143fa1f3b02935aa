// Sounds that are made, to run networks for speech and sound on.
#pragma once

#include <cstdint>
#include <vector>

#include "calibrate/random.h"

namespace subbyte {

inline constexpr std::int64_t kSampleRate = 16000;  // in hertz, as networks for speech take it

// Samples within [-1, 1]: syllables of a noisy consonant and a vowel each, with pauses, over quiet
// noise. A vowel is pulses of a gliding pitch through three resonators, the cascade of Klatt
// (1980), at the formants that Peterson and Barney (1952) measured.
std::vector<float> speech_like(std::int64_t samples, Random& random);

// Samples within [-1, 1]: noise whose power falls with frequency, and tones that come and go.
std::vector<float> noise_and_tones(std::int64_t samples, Random& random);

// Numbers one after the other of mean 0 and deviation 1, nearly: slow and quick changes, and a
// period, as measured series have.
std::vector<float> series_like(std::int64_t count, Random& random);

}  // namespace subbyte
