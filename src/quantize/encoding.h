// Which zero points, steps and exponents a width asked for gets.
#pragma once

#include <cstdint>
#include <vector>

#include "quantize/format.h"

namespace subbyte {

// The encodings for a width of 8, 4, 3 or 2 bits of a tensor whose largest magnitude is finite, in
// groups of 32: zero points that have proved worth their bytes (docs/format.md), the finest first.
// scale_exponent puts the largest magnitude at 2^14 .. 2^15, so that scales are normal halves and
// scale * (q - z) does not overflow one.
std::vector<AffineEncoding> affine_encodings(int bits, float max_magnitude);

// The most bits a value that a row is to take at that width, with its scales and zero points: 8.8,
// 4.7, 3.7 or 2.7.
double most_bits(int bits);

// The first of affine_encodings() that keeps to most_bits() for that k, or the last. What is chosen
// where the values are not at hand; choose_encoding() measures.
AffineEncoding affine_encoding(int bits, std::int64_t k, float max_magnitude);

// Whether affine encodings can hold a tensor of that largest magnitude: 0, or well inside the
// normal floats.
bool fits_affine(float max_magnitude);

// Whether halves can: 0, or at least the smallest normal half and not rounded beyond the largest.
bool fits_float16(float max_magnitude);

}  // namespace subbyte
