// What reads each weight of a model, as the matrix in which it is stored.
#pragma once

#include <vector>

#include "base/error.h"
#include "graph/graph.h"
#include "quantize/assign.h"
#include "quantize/measure.h"

namespace subbyte {

// One entry for each float constant of more than one element that a node of the main graph reads
// the elements of, in the order of their values: a matrix [N, K] where a product or Gather reads it
// as one (directly or through a transpose), one after the other for each place along the axes
// before the last two of a MatMul's weight, else one row of all elements. The first such reader
// decides.
std::vector<WeightUse> find_weight_uses(const Model& model);

// The same, with rows sampled of each use that is a matrix (nothing for the others), and every
// weight read once, by `measure`.
struct SampledUses {
  std::vector<WeightUse> uses;
  std::vector<std::vector<float>> samples;
};
Expected<SampledUses> sample_weight_uses(const Model& model, const MeasureWeights& measure);

}  // namespace subbyte
