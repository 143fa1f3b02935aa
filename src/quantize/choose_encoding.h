// Group size, zero points and scales of a weight, by what they lose.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quantize/assign.h"
#include "quantize/format.h"
#include "quantize/group_search.h"

namespace subbyte {

// How the scales of a weight of that width are found: the search with which the outputs of models
// are nearest to those of the float weights, not the weights themselves. bench/scale_search.cc
// measures it. At 8 bits none is worth its time.
ScaleSearch scale_search(int bits, WeightUseKind kind);

// The encodings of that width (8, 4, 3 or 2) to choose among for a matrix of that k and largest
// magnitude: those with which a row takes at most 8.8, 4.7, 3.7 or 2.7 bits a value, or the one
// that takes fewest where none does.
std::vector<AffineEncoding> encoding_choices(int bits, std::int64_t k, float max_magnitude);

// The choice that loses least on a sample of the rows (sample_rows() in quantize/measure.h); of
// choices within 0.05 dB of it the one of fewest bytes. The values are finite.
AffineEncoding choose_encoding(int bits, std::span<const float> sample, std::int64_t k,
                               float max_magnitude);

}  // namespace subbyte
