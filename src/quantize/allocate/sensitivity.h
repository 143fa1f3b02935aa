// How much the outputs lose by one weight alone.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/checkpoint.h"
#include "base/error.h"
#include "calibrate/executor.h"
#include "quantize/allocate/variants.h"
#include "quantize/fit/fit_weights.h"

namespace subbyte::allocate {

struct MeasureOptions {
  Effort effort = Effort::good;
  RunOptions running{};
  // How much of the shift of the means biases take back, of share_of_biases().
  float shift_taken = 1;
  // What was measured is kept there, and what it has is not measured again.
  Checkpoint checkpoint{};
  // `done` of `count` weights and widths.
  std::function<void(std::size_t done, std::size_t count)> progress{};
};

// How many samples, from the first, the effort and the memory allow for that many questions, each
// of which takes about half a run of `work_each` multiply-adds; 0 where not even two. Of a large
// language model, each of whose tokens says something, one or two are worth more work where
// `few_texts` do.
std::size_t measured_samples(const Model& model, std::span<const Sample> samples, double work_each,
                             std::size_t questions, Effort effort, bool few_texts = true);

// The kinds of the first so many samples.
std::span<const std::size_t> kinds_of(std::span<const std::size_t> kinds, std::size_t samples);

// For each of `questions`, a weight stored in some way with all others as they are: the loss of the
// outputs (loss.h), the mean of what reads it corrected where a bias can. The layers before a
// weight are run once for all; from its first reader on the model runs again for each question.
Expected<std::vector<double>> measure_each(const Model& model,
                                           std::span<const StoredWeight> questions,
                                           std::span<const Sample> samples, RoundedWeights& rounded,
                                           const MeasureOptions& options);

}  // namespace subbyte::allocate
