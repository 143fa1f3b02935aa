// The spectrogram that networks for sound are fed with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace subbyte {

// Samples from the start of one frame to the start of the next: 10 ms at 16 kHz.
inline constexpr std::int64_t kHop = 160;

// bands * frames numbers, band by band: the decimal logarithm of the energy in windows of 25 ms (of
// Hann), kHop apart, in triangular bands that are evenly spread in mel (2595 log10(1 + f / 700))
// from 0 to 8 kHz. Frames after the end of the sound are silent. What is 80 dB below the loudest is
// raised to that.
std::vector<float> log_mel(std::span<const float> sound, std::int64_t bands, std::int64_t frames);

}  // namespace subbyte
