// Ways to store the weights of a model, compared by running them.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/error.h"
#include "calibrate/executor.h"
#include "quantize/allocate/rounded_weights.h"
#include "quantize/weight_plan.h"

namespace subbyte::allocate {

struct RunOptions {
  unsigned threads = 0;  // 0: as many as the machine has cores
  // Of the samples (SampleSet::tuning_kinds); each counts alike. Empty: all are of one.
  std::span<const std::size_t> kinds{};
  // Asked before each node; true ends the work with an error of that kind.
  std::function<bool()> cancelled{};
};

// The outputs on each sample.
using Outputs = std::vector<std::vector<Tensor>>;
struct ComparedOutputs {
  Outputs exact;
  std::vector<Outputs> found;  // with each plan
};

// The outputs of the float model and with each of the plans, weights rounded and biases taking
// back the shift of means (fit/output_shift.h) with the layers before quantized: about what
// calibration leaves, without its cost. One run of the float model and one for each plan, side by
// side over all samples.
Expected<ComparedOutputs> outputs_of(const Model& model, std::span<const WeightPlan* const> plans,
                                     std::span<const Sample> samples, RoundedWeights& rounded,
                                     const RunOptions& options);
// What is lost of them (loss.h) with each plan.
Expected<std::vector<double>> losses_of(const Model& model,
                                        std::span<const WeightPlan* const> plans,
                                        std::span<const Sample> samples, RoundedWeights& rounded,
                                        const RunOptions& options);

// How much of the shift of means biases take back: none in a language model, of which calibration
// chooses codes alone.
float share_of_biases(const Model& model);

// Takes that share of the shift of the means of what node `n` gave back, where a bias can.
void correct_bias(const Graph& graph, const std::map<ValueId, StoredWeight>& stored, NodeId n,
                  std::span<const std::size_t> kinds, float share, Execution& exact,
                  Execution& found);

}  // namespace subbyte::allocate
