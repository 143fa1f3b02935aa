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
// narrower than float32, has more than one channel, and its bias, if any, is a constant that can be
// replaced.
bool can_shift(const Graph& graph, const std::map<ValueId, StoredWeight>& stored, NodeId node);

// The mean over samples, each of which counts alike, and places of exact - found. Empty where the
// tensors are no floats, or have a mean that is not finite.
Shift mean_shift(std::span<const Tensor> exact, std::span<const Tensor> found, std::size_t axis);
void add_shift(std::span<Tensor> values, std::size_t axis, const Shift& shift);

// Makes the shifts part of the biases: numbers of `plan` where there is a bias, constants of the
// model's (zeros, which the plan stores as the shift) and Add nodes where there is none. The float
// model stays what it is.
void store_shifts(Model& model, WeightPlan& plan, const Shifts& shifts);

}  // namespace subbyte::fit
