// The shapes of letters, on small grids.
#pragma once

#include <array>
#include <cstdint>

#include "calibrate/random.h"

namespace subbyte {

struct Glyph {
  std::int64_t rows = 0, columns = 0;
  // Rows from above; the lowest `columns` bits, the highest of them the left end.
  std::array<std::uint16_t, 11> bits{};

  bool is_ink(std::int64_t row, std::int64_t column) const {
    if (row < 0 || row >= rows || column < 0 || column >= columns) return false;
    return (bits[static_cast<std::size_t>(row)] >> (columns - 1 - column) & 1) != 0;
  }
};

// A letter, digit or mark of the Latin script.
Glyph random_letter(Random& random);
// A square of strokes, as dense as the characters of Chinese; none that exists.
Glyph random_ideograph(Random& random);

}  // namespace subbyte
