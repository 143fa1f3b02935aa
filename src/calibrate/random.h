// A fixed pseudo-random sequence (SplitMix64; Steele, Lea and Flood 2014).
#pragma once

#include <cstdint>

namespace subbyte {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  // Random(state()) goes on from here.
  std::uint64_t state() const { return state_; }

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // Uniform in [-1, 1).
  float number() {
    return static_cast<float>(static_cast<double>(next() >> 11) / 4503599627370496.0 - 1.0);
  }
  // Uniform in [low, high), or [low, high] as floats round.
  float between(float low, float high) { return low + (high - low) * 0.5f * (number() + 1); }
  // Of mean 0 and variance 1, nearly normal: three uniform numbers, each of variance 1/3.
  float normal() { return number() + number() + number(); }
  // Uniform in [0, n), n small.
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(n));
  }

 private:
  std::uint64_t state_;
};

}  // namespace subbyte
