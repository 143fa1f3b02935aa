// What a change of the weights does to the outputs of a model.
#pragma once

#include <vector>

#include "graph/graph.h"
#include "samples/output_content.h"

namespace subbyte::fit {

// The mean over samples and outputs of the relative L2 error ||found - exact|| / ||exact||, of
// float outputs; of others the share of elements that differ. A value that is finite in one alone
// makes it infinite.
double output_error(const std::vector<std::vector<Tensor>>& exact,
                    const std::vector<std::vector<Tensor>>& found);

// Of one sample, but of outputs that are logits the square root of divergence_of() a line, for what
// all logits of a line have in common says nothing; and caches do not count.
double sample_error(const std::vector<OutputContent>& contents, const std::vector<Tensor>& exact,
                    const std::vector<Tensor>& found);

}  // namespace subbyte::fit
