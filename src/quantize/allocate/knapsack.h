// The best of all ways to spend bytes: the multiple-choice knapsack problem.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace subbyte::allocate {

struct Option {
  std::int64_t bytes = 0;
  double loss = 0;  // finite, 0 or more
};

// One option of each item, so that their bytes are at most `budget` in all and their losses least:
// an index for each item, nullopt where even the smallest options take more. Every item has an
// option.
//
// Dynamic programming over the ways that none is better than in both bytes and loss, cut by the
// bounds of the Lagrangian relaxation (Kellerer, Pferschy, Pisinger: Knapsack Problems (2004),
// chapter 11), so that few ways stay: exact to a millionth of the loss. Where more than a hundred
// thousand stay, those of the least bounds are followed, and the result is at least as good as
// that of taking the steps of the convex hulls by what they gain for a byte.
std::optional<std::vector<std::size_t>> least_loss(std::span<const std::vector<Option>> items,
                                                   std::int64_t budget);

}  // namespace subbyte::allocate
