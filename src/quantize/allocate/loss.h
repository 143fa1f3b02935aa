// What is lost at the outputs, as one number that adds up over weights.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "samples/output_content.h"

namespace subbyte::allocate {

// The mean over outputs, but for caches, of divergence_of() where an output is a distribution or
// logits, of others the square of the difference by that of the output over all samples. Each grows
// with the square of small errors, so that those of several weights add up. At most 4. The mean
// over the kinds of samples, where `kinds` has one for each.
double output_loss_of(const std::vector<OutputContent>& contents,
                      const std::vector<std::vector<Tensor>>& exact,
                      const std::vector<std::vector<Tensor>>& found,
                      std::span<const std::size_t> kinds = {});

}  // namespace subbyte::allocate
