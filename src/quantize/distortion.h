// The one measure of what quantization lost, for the manifest, tests and benchmarks alike.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>

#include "base/scalar_math.h"

namespace subbyte {

// Sums over elements, in double precision: of w^2 and of (w - decoded)^2.
struct Distortion {
  double signal = 0;
  double noise = 0;

  // Element i goes to partial sum i % 4, which keeps the additions from waiting for each other.
  void add(const float* exact, const float* decoded, std::size_t count) {
    double signals[4] = {};
    double noises[4] = {};
    for (std::size_t i = 0; i < count; ++i) {
      const auto value = static_cast<double>(exact[i]);
      const double difference = value - static_cast<double>(decoded[i]);
      signals[i % 4] += value * value;
      noises[i % 4] += difference * difference;
    }
    signal += (signals[0] + signals[1]) + (signals[2] + signals[3]);
    noise += (noises[0] + noises[1]) + (noises[2] + noises[3]);
  }
  Distortion& operator+=(const Distortion& other) {
    signal += other.signal;
    noise += other.noise;
    return *this;
  }
  friend bool operator==(const Distortion&, const Distortion&) = default;
};

// The signal-to-quantization-noise ratio in dB; infinite for no noise.
inline double sqnr_db(const Distortion& sums) {
  if (sums.noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * log10_of(sums.signal / sums.noise);
}

}  // namespace subbyte
