// Which weights are stored wider than asked, inside what the promise of a precision leaves: at
// least 95 % of the parameters are stored at that many bits or fewer.
#pragma once

#include <span>

#include "quantize/assign.h"

namespace subbyte {

// At most this share of the parameters is kept wider by choice, together with what cannot be
// narrower at most kMostWide; and while the model takes at most kMostBitsAbove bits a parameter
// more than the width, or for at most kMostWideBits more where it takes more without.
inline constexpr double kWideByChoice = 0.04;
inline constexpr double kMostWide = 0.0495;
inline constexpr double kMostBitsAbove = 0.945;
inline constexpr double kMostWideBits = 0.14;

// What a matrix becomes where it is kept wider: 8 bits, or float16 where that takes no more bytes.
Encoding wider_encoding(const WeightUse& use);

// Of the matrices that `precision` (8 bits or fewer) was asked for (`may_widen`, one for each use),
// the smallest: to 8 bits, or to float16 where that takes no more bytes. The smallest tensors cost
// least and lose most: depthwise kernels, the stem of a convolutional network, squeeze-and-excite.
// What is kept at 8 bits gets a reason.
void widen_smallest(std::span<const WeightUse> uses, Precision precision,
                    const std::vector<bool>& may_widen, std::vector<Assignment>& assignments);

}  // namespace subbyte
