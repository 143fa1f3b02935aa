#include "passes/spell/draw.h"

namespace subbyte {
namespace {

std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15;

}  // namespace

double drawn_uniform(std::uint64_t seed, std::uint64_t i) {
  return static_cast<double>(mixed(mixed(seed) + (i + 1) * kGolden) >> 40) * 0x1p-24;
}

double drawn_normal(std::uint64_t seed, std::uint64_t i) {
  double sum = 0;
  for (std::uint64_t k = 0; k < 12; ++k) sum += drawn_uniform(seed, 12 * i + k);
  return sum - 6;
}

}  // namespace subbyte
