// How far one distribution is from another.
#pragma once

#include <cstddef>

#include "graph/graph.h"
#include "samples/output_content.h"

namespace subbyte {

// Sums over lines, each of which is a distribution.
struct LineLoss {
  double lost = 0, lines = 0;
};

// Of an output that is a distribution or logits: 2 sum (sqrt p - sqrt q)^2 along its axis, which to
// second order is the divergence of Kullback and Leibler and has no infinities; at most 4, which
// what is not finite counts. Of `most_lines` lines, spread evenly, where there are more. `exact`
// and `found` have the same dims.
LineLoss divergence_of(const OutputContent& content, const Tensor& exact, const Tensor& found,
                       std::size_t most_lines = SIZE_MAX);

}  // namespace subbyte
