// Random numbers by their place in a sequence, the same on every machine.
#pragma once

#include <cstdint>

namespace subbyte {

// Number i of a seed's sequence, in [0, 1), a multiple of 2^-24 (SplitMix64: Steele, Lea and Flood
// 2014, "Fast splittable pseudorandom number generators").
double drawn_uniform(std::uint64_t seed, std::uint64_t i);
// Of mean 0 and deviation 1: the sum of twelve uniform numbers less six (Irwin and Hall), which
// needs no logarithm; within [-6, 6].
double drawn_normal(std::uint64_t seed, std::uint64_t i);

}  // namespace subbyte
