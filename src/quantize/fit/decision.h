// Which of several ways to store the weights is kept.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace subbyte::fit {

// Of each sample its outputs.
using Outputs = std::vector<std::vector<Tensor>>;

// Samples of the same kind have the same number in `kinds`, which is empty where all are alike.
std::size_t count_kinds(std::span<const std::size_t> kinds);

// output_error() of the samples of each kind; infinite where there are none of one.
std::vector<double> errors_by_kind(const Outputs& exact, const Outputs& found,
                                   std::span<const std::size_t> kinds);

// How much is left of the errors `before` with `after`, of each kind: the mean of the quotients.
// nullopt where some kind loses, for real inputs may be of that kind.
std::optional<double> what_is_left(std::span<const double> before, std::span<const double> after);

}  // namespace subbyte::fit
