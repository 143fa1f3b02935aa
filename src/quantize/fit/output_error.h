// What a change of the weights does to the outputs of a model.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace subbyte::fit {

// The mean over samples and outputs of the relative L2 error ||found - exact|| / ||exact||, of
// float outputs; of others the share of elements that differ. A value that is finite in one alone
// makes it infinite.
double output_error(const std::vector<std::vector<Tensor>>& exact,
                    const std::vector<std::vector<Tensor>>& found);

}  // namespace subbyte::fit
