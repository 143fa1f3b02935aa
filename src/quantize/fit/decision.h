// Which of several ways to store the weights is kept.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace subbyte::fit {

// Samples of the same kind have the same number in `kinds`, which is empty where all are alike.
std::size_t count_kinds(std::span<const std::size_t> kinds);

// The mean of the errors of the samples of each kind, those without any left out.
std::vector<double> errors_by_kind(std::span<const double> errors,
                                   std::span<const std::size_t> kinds);

// How much is left of the errors `before` with `after`, of each kind: the mean of the quotients.
// nullopt where some kind loses, for real inputs may be of that kind.
std::optional<double> what_is_left(std::span<const double> before, std::span<const double> after);

}  // namespace subbyte::fit
