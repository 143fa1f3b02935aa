#include "samples/log_mel.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>

#include "base/scalar_math.h"
#include "samples/made_sound.h"

namespace subbyte {

namespace {

constexpr std::size_t kWindow = 400, kPoints = 512, kBins = kPoints / 2 + 1;
constexpr double kPi = 0x1.921fb54442d18p+1, kLn10 = 0x1.26bb1bbb55516p+1;

using Spectrum = std::array<std::complex<double>, kPoints>;

// Cooley and Tukey's, of radix 2, in place.
class Fourier {
 public:
  Fourier() {
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      const auto angle = static_cast<float>(-2 * kPi * static_cast<double>(i) / kPoints);
      turns_[i] = {cos_of(angle), sin_of(angle)};
    }
  }
  void transform(Spectrum& x) const {
    for (std::size_t i = 1, j = 0; i < kPoints; ++i) {
      std::size_t bit = kPoints / 2;
      for (; (j & bit) != 0; bit /= 2) j ^= bit;
      j ^= bit;
      if (i < j) std::swap(x[i], x[j]);
    }
    for (std::size_t size = 2; size <= kPoints; size *= 2) {
      for (std::size_t start = 0; start < kPoints; start += size) {
        for (std::size_t i = 0; i < size / 2; ++i) {
          const std::complex<double> turn = turns_[i * (kPoints / size)];
          const std::complex<double> even = x[start + i], other = x[start + i + size / 2];
          // Written out: the product of the library looks for infinities, each its own way.
          const std::complex<double> odd(other.real() * turn.real() - other.imag() * turn.imag(),
                                         other.real() * turn.imag() + other.imag() * turn.real());
          x[start + i] = even + odd;
          x[start + i + size / 2] = even - odd;
        }
      }
    }
  }

 private:
  std::array<std::complex<double>, kPoints / 2> turns_;
};

// bands * kBins weights.
std::vector<double> mel_bands(std::int64_t bands) {
  const double top = 2595 * log10_of(1 + 8000.0 / 700);
  std::vector<double> edges;  // in bins
  for (std::int64_t i = 0; i <= bands + 1; ++i) {
    const double mel = top * static_cast<double>(i) / static_cast<double>(bands + 1);
    const double hertz = 700 * (exp_of(mel / 2595 * kLn10) - 1);
    edges.push_back(hertz * kPoints / static_cast<double>(kSampleRate));
  }
  std::vector<double> weights;
  for (std::size_t band = 0; band < static_cast<std::size_t>(bands); ++band) {
    const double middle = edges[band + 1];
    for (std::size_t bin = 0; bin < kBins; ++bin) {
      const double rising = (static_cast<double>(bin) - edges[band]) / (middle - edges[band]);
      const double falling =
          (edges[band + 2] - static_cast<double>(bin)) / (edges[band + 2] - middle);
      // A narrow band that no bin meets takes the nearest.
      const bool nearest = std::abs(static_cast<double>(bin) - middle) <= 0.5;
      weights.push_back(std::max({0.0, std::min(rising, falling), nearest ? 0.5 : 0.0}));
    }
  }
  return weights;
}

}  // namespace

std::vector<float> log_mel(std::span<const float> sound, std::int64_t bands, std::int64_t frames) {
  const Fourier fourier;
  const std::vector<double> weights = mel_bands(bands);
  std::vector<double> window;
  for (std::size_t i = 0; i < kWindow; ++i) {
    const auto angle = static_cast<float>(2 * kPi * static_cast<double>(i) / kWindow);
    window.push_back(0.5 - 0.5 * cos_of(angle));
  }
  std::vector<float> result(static_cast<std::size_t>(bands * frames));
  float loudest = -10;
  for (std::int64_t frame = 0; frame < frames; ++frame) {
    Spectrum spectrum{};
    const auto start = static_cast<std::size_t>(frame * kHop);
    for (std::size_t i = 0; i < kWindow && start + i < sound.size(); ++i)
      spectrum[i] = window[i] * static_cast<double>(sound[start + i]);
    fourier.transform(spectrum);
    for (std::int64_t band = 0; band < bands; ++band) {
      double energy = 0;
      for (std::size_t bin = 0; bin < kBins; ++bin) {
        const double re = spectrum[bin].real(), im = spectrum[bin].imag();
        energy += weights[static_cast<std::size_t>(band) * kBins + bin] * (re * re + im * im);
      }
      const auto level = static_cast<float>(log10_of(std::max(energy, 1e-10)));
      result[static_cast<std::size_t>(band * frames + frame)] = level;
      loudest = std::max(loudest, level);
    }
  }
  for (float& level : result) level = std::max(level, loudest - 8);
  return result;
}

}  // namespace subbyte
