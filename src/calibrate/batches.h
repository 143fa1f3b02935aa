// Which samples go through a model together.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calibrate/executor.h"

namespace subbyte::calibrate {

// The most bytes that the values of one sample take at a time. Those whose shape is not known until
// they are computed count as nothing.
std::int64_t activation_bytes(const Model& model, const Sample& sample);

// Samples [0, end), [end, next end), ...: as many in each batch as fit `memory` bytes together, one
// at least.
std::vector<std::size_t> batch_ends(const Model& model, std::span<const Sample> samples,
                                    std::int64_t memory);

}  // namespace subbyte::calibrate
