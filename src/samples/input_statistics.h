// Means and deviations of inputs that a batch normalisation near them gives away.
#pragma once

#include <map>
#include <string>

#include "graph/graph.h"
#include "samples/standardised.h"

namespace subbyte {

// Of inputs of floats, by name. A batch normalisation stores the means and variances that it saw in
// training: the input's own where it reads the input, else those of a product (MatMul, Gemm, Conv)
// of the input, from which the input's follow:
// - means: A mu = m by least squares, each equation over its deviation, with a slight preference
//   for 0, where A is the weight (of a convolution: summed over its window);
// - variances: B s = v, B the squares of the weight, s not negative (multiplicative updates: Lee
// and
//   Seung, "Algorithms for Non-negative Matrix Factorization", 2000, theorem 1), as if features
//   were independent.
// Left out where these explain what is stored no better than features of mean 0 and variance 1 do.
// Of a model as it was imported, for the standard passes fold what is stored.
std::map<std::string, Standardisation> find_input_statistics(const Model& model);

}  // namespace subbyte
