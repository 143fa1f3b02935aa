// What the readable and the SIMD search for a group's scale and zero point share: the constants,
// and the groups that need no search.
//
// The search works on normalised weights x = w * 2^-scale_exponent. A code q is the whole number
// in [0, 2^bits - 1] nearest to x / scale + zero, of two equally near ones the even one: exactly
// so, for (q + 0.5 - zero) * scale is a float (at most 13 and 11 significant bits), and x is
// compared with it. The decoded value is scale * (q - zero). The range that a code covers always
// contains 0, for zero is within [0, 2^bits - 1] (give or take less than 1). The search is least
// squares by alternation (Lloyd 1982): the best codes for a scale and a zero point, then the best
// scale and zero point for those codes, from several starts that clip each end of the range more or
// less; then from neighbours of the best. Which of the tried ones is best, ScaleSearch says. While
// it searches, codes are rounded from x * (1 / scale) + zero in single precision, which is off by
// one where x is next to halfway between two.
//
// Every step is IEEE 754 single precision, rounded once, in the order in which codec_reference.cc
// writes it; that is what makes the bytes the same everywhere.
#pragma once

#include <array>
#include <cstdint>

#include "quantize/format.h"

namespace subbyte {

enum class ScaleSearch : std::uint8_t {
  none,           // the scale and zero point that just cover the group: round-to-nearest
  least_squares,  // of the errors
  // Of the errors weighted by |x| + mean |x|. llama.cpp's k-quants take the root mean square there.
  large_first,
};

// How much of the range [min(x, 0), max(x, 0)] each start covers.
struct SearchStart {
  float low, high;
};
inline constexpr std::array kSearchStarts = {
    SearchStart{1.0f, 1.0f},  SearchStart{0.9f, 1.0f}, SearchStart{1.0f, 0.9f},
    SearchStart{0.9f, 0.9f},  SearchStart{0.8f, 0.8f}, SearchStart{0.75f, 0.9f},
    SearchStart{0.9f, 0.75f}, SearchStart{0.7f, 0.7f}, SearchStart{0.6f, 0.75f},
    SearchStart{0.75f, 0.6f},
};
inline constexpr int kSearchRounds = 2;
// From the best of these: factors of the scale, and steps of the zero point.
inline constexpr std::array kScaleMoves = {0.92f, 0.96f, 1.0f, 1.04f, 1.08f};
inline constexpr std::array kZeroMoves = {-2.0f, -1.0f, 0.0f, 1.0f, 2.0f};
inline constexpr int kMoveRounds = 2;

// A half-precision scale and the zero point of one group.
struct GroupParameters {
  float scale = 0;
  float zero = 0;
};

// The numbers of an AffineEncoding as the search uses them.
struct Grid {
  float largest_code;  // 2^bits - 1
  float zero_step;
  float zero_steps;  // the largest stored zero point; 0 where none is stored
  float zero_default;

  explicit Grid(const AffineEncoding& encoding)
      : largest_code(static_cast<float>((1 << encoding.bits) - 1)),
        zero_step(encoding.zero_step),
        zero_steps(static_cast<float>((1 << encoding.zero_bits) - 1)),
        zero_default(encoding.zero_default) {}
};

// A group whose values are all `value` (0 included), for the search: the pair of code and zero
// point whose quotient is nearest to a normal half.
GroupParameters constant_group(float value, const Grid& grid);

}  // namespace subbyte
