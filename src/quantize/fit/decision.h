// Which of several ways to store the weights is kept.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace subbyte::fit {

// Samples of the same kind have the same number in `kinds`, which is empty where all are alike.
std::size_t count_kinds(std::span<const std::size_t> kinds);

// What a kind of samples may lose where others gain: that share of its errors, or so many standard
// errors of what was measured of it, whichever is more. Of a few kinds of a few samples each chance
// makes some seem to lose what they do not.
inline constexpr double kMostLost = 0.1, kChance = 2;

// How much is left of the errors `before` with `after`, by sample: the mean over the kinds of the
// quotients of their means. Always a number; infinite where a kind is lost altogether.
double left_of(std::span<const double> before, std::span<const double> after,
               std::span<const std::size_t> kinds);

// The same where it is less than all: nullopt where the mean does not fall by more than its
// standard error, or where some kind loses more than it may, for real inputs may be of that kind
// alone. Errors are paired: those of the same sample.
std::optional<double> what_is_left(std::span<const double> before, std::span<const double> after,
                                   std::span<const std::size_t> kinds);

}  // namespace subbyte::fit
