// Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), algorithm 1. The square root
// is IEEE's and the rest sums and products, so that steps are the same everywhere.
#pragma once

#include <cmath>

namespace subbyte::tune {

// The averages of a gradient and of its square. With these decays the first step of a number that
// is rarely seen (a row of a table) is as long as that of any other.
inline constexpr float kDecay = 0.9f, kSquareDecay = 0.99f;

struct Averages {
  float gradient = 0, square = 0;
};

// What makes up for averages that begin at 0, of step t (from 1 on).
struct Correction {
  float gradient = 1, square = 1;

  static Correction of(int t) {
    double first = 1, second = 1;
    for (int i = 0; i < t; ++i) {
      first *= static_cast<double>(kDecay);
      second *= static_cast<double>(kSquareDecay);
    }
    return {static_cast<float>(1 / (1 - first)), static_cast<float>(1 / (1 - second))};
  }
};

// By what a number goes down, in units of the rate: in [-1, 1] or about.
inline float adam_step(float gradient, const Correction& correction, Averages& averages) {
  averages.gradient = kDecay * averages.gradient + (1 - kDecay) * gradient;
  averages.square = kSquareDecay * averages.square + (1 - kSquareDecay) * gradient * gradient;
  const float root = std::sqrt(averages.square * correction.square);
  return root > 0 ? averages.gradient * correction.gradient / root : 0;
}

// How far one step goes: of scales relative to themselves, of zero points and of where a weight
// lies on its grid in codes, of other numbers in units of what they are beside.
struct Rates {
  float scale = 0, zero = 0, position = 0, number = 0;
};

}  // namespace subbyte::tune
