// Tunes what is stored end to end: scales, zero points, norms and biases, and at 3 and 2 bits the
// codes themselves, by gradients of what the outputs lose against the float model's. After
// Chen et al., "EfficientQAT" (2024), whose second phase tunes scales so; with the codes in it, as
// in the first. docs/quantization.md says what it buys.
#pragma once

#include "quantize/fit/fit_weights.h"

namespace subbyte {

struct TuneOptions {
  Effort effort = Effort::good;
  bool on_data = true;   // the user's samples, not made ones: small models are then worth more work
  unsigned threads = 0;  // 0: as many as the machine has cores
  // Bytes of what is tuned, and of the values of the samples that go together; by default 768 MB
  // each. Where all values of a sample, or numbers and gradients beside the codes, do not fit, the
  // graph goes by segments (calibrate/gradient/segments.h), and weights are unpacked when they are
  // read.
  std::optional<std::int64_t> memory_of_tuned{}, memory_of_values{};
  // Where tuning stands is kept there ten times on its way, and it goes on from there.
  Checkpoint checkpoint{};
  // Asked before each node; true ends the work with an error of that kind.
  std::function<bool()> cancelled{};
  // `done` of `count` steps.
  std::function<void(std::size_t done, std::size_t count)> progress{};
};

// After fit_weights(), from what `plan` stores. What is found is stored there (ChosenNumbers) where
// the outputs on the held-out samples get better, and on no kind of them worse; steps, and which of
// them is kept, depend neither on threads nor on the machine. Nothing, and why, where the gradient
// of a node on the way is not known, or where a step takes more memory or work than is allowed.
Expected<TuningReport> tune_weights(const Model& model, WeightPlan& plan, const SampleSet& samples,
                                    const TuneOptions& options = {});

}  // namespace subbyte
