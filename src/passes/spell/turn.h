// Cosines and sines of parts of a turn, the same on every machine.
#pragma once

#include <cstdint>

namespace subbyte {

struct Direction {
  double cosine, sine;
};
// Of the angle 2 * pi * part / whole, within a few units in the last place; 0 < whole < 2^60.
Direction direction_of(std::int64_t part, std::int64_t whole);

}  // namespace subbyte
