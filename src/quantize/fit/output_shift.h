// By how much quantization moves the mean of each channel of a product's results, and biases that
// take it back (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias
// Correction", 4.2; measured, as their appendix D does, not derived).
#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "quantize/weight_plan.h"

namespace subbyte::fit {

// What is added to each channel of a node's results.
using Shift = std::vector<float>;
using Shifts = std::map<NodeId, Shift>;

// The axis of the channels of what a product or convolution gives, from the front; none for others.
std::optional<std::size_t> channel_axis(const Node& node, std::size_t rank);

// Whether a bias can take up a shift of that node: it multiplies with a weight of `stored` that is
// narrower than float32 and did not arrive so, has more than one channel, and its bias, if any, is
// a constant that can be replaced.
bool can_shift(const Graph& graph, const std::map<ValueId, StoredWeight>& stored, NodeId node);

// The mean over samples and places of exact - found, as far as it can be relied on: samples of a
// kind count alike, each kind (fit/decision.h) over the energy of `exact` on it, so that small
// results do not get the biases of large ones; and what differs from sample to sample, or from kind
// to kind, is shrunk towards 0: b becomes b max(0, 1 - e^2 / b^2), e the standard error of b (the
// positive part of James and Stein's estimator, 1961, for one number). Samples whose means are not
// finite are left out. Empty where the tensors are no floats, or none is left.
Shift mean_shift(std::span<const Tensor> exact, std::span<const Tensor> found,
                 std::span<const std::size_t> kinds, std::size_t axis);
void add_shift(std::span<Tensor> values, std::size_t axis, const Shift& shift);

// Zeros for each node that can_shift() holds for: where calibration may store biases.
Shifts no_shifts(const Graph& graph, const std::map<ValueId, StoredWeight>& stored);

// Makes the shifts part of the biases: numbers of `plan` where there is a bias, constants of the
// model's (zeros, which the plan stores as the shift) and Add nodes where there is none. The float
// model stays what it is.
void store_shifts(Model& model, WeightPlan& plan, const Shifts& shifts);

}  // namespace subbyte::fit
