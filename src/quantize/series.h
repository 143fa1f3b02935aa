// Numbers that follow one another by a formula, whatever its constants: what a program computes,
// and training does not.
#pragma once

#include <cstdint>
#include <span>

namespace subbyte {

enum class Series : std::uint8_t {
  plain,    // constant for the most part but for rounding, or of too few values to tell
  regular,  // most follow from those before
  free,
};

// A sequence is regular where most of its elements fulfil one of these, with the same constants
// throughout, between elements `lag` apart (1, or as many as stand in a row alike; for the first
// also up to 9):
//   s[i+1] - 2 s[i] + s[i-1] = 0      ramps, grids, and what is put together of them
//   s[i+1] - c s[i] + s[i-1] = d      sines of any frequency and phase, exponentials, parabolas,
//                                     windows of Hann and Hamming
//   s[i+1] s[i-1] = s[i]^2            geometric sequences
//   fourth differences are 0          slow curves, as schedules of noise are
// Up to rounding: `unit` is the largest relative error of one element (2^-24 of float32). Angles
// are taken to be computed in float32, of positions that begin near 0. A third of the elements may
// break the rule, where a grid's row ends or a slope turns. A sequence that repeats is judged by
// its first period.
Series judge_series(std::span<const float> values, double unit);

}  // namespace subbyte
