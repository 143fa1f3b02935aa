// Which zero points, steps and exponents a width asked for gets.
#pragma once

#include <cstdint>

#include "quantize/format.h"

namespace subbyte {

// The encoding for a width of 8, 4, 3 or 2 bits of a matrix of that k whose largest magnitude is
// finite. Groups are 32 along k, or for a shorter k the fewest values that are whole words. Zero
// points are the finest that have proved worth their bytes (docs/format.md) and with which a row
// takes no more than 8.8, 4.7, 3.7 or 2.7 bits a value. scale_exponent puts the largest magnitude
// at 2^14 .. 2^15, so that scales are normal halves and scale * (q - z) does not overflow one.
AffineEncoding affine_encoding(int bits, std::int64_t k, float max_magnitude);

// Whether affine encodings can hold a tensor of that largest magnitude: 0, or well inside the
// normal floats.
bool fits_affine(float max_magnitude);

// Whether halves can: 0, or at least the smallest normal half and not rounded beyond the largest.
bool fits_float16(float max_magnitude);

}  // namespace subbyte
