// What tuning makes small: how far the outputs are from the float model's.
#pragma once

#include <vector>

#include "calibrate/machine.h"
#include "samples/output_content.h"

namespace subbyte::tune {

// Of one sample, the mean over the outputs that count, each the square root of: of logits and
// distributions the divergence of Kullback and Leibler from the float model's, a line; of other
// floats the squared error over the squared size. Roots, as in fit::sample_error(), so that few
// samples that lose much do not decide alone. `lost` becomes what it changes by with each element
// of `found`, times `weight`, for each output; empty where an output does not count.
double loss_of(const std::vector<OutputContent>& contents, const std::vector<Tensor>& exact,
               const std::vector<Tensor>& found, float weight,
               std::vector<std::vector<float>>& lost, calibrate::Machine& machine);

// Which outputs count: floats that are no cache.
std::vector<bool> outputs_that_count(const Graph& graph,
                                     const std::vector<OutputContent>& contents);

}  // namespace subbyte::tune
