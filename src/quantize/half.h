// The range of IEEE 754 binary16; conversions are those of graph/half.h.
#pragma once

#include "graph/half.h"

namespace subbyte {

inline constexpr float kLargestHalf = 65504.0f;
inline constexpr float kSmallestNormalHalf = 0x1p-14f;

}  // namespace subbyte
