// What quantization does to the outputs: the float executor run with the float weights and with the
// quantized ones, on samples that calibration did not see.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "calibrate/executor.h"
#include "emit/manifest.h"
#include "graph/graph.h"
#include "plan/plan.h"

namespace subbyte {

struct CheckOptions {
  // Of the samples that are made. Calibration's is SampleOptions' own, another.
  std::uint64_t seed = 1'000'003;
  std::size_t samples = 8;  // fewer where a run over them takes more than kMostCheckWork
  // A model of more than kMaxCheckedParameters is run all the same.
  bool whatever_size = false;
  // Samples of the user's, in place of made ones, and what they are.
  std::vector<Sample> given{};
  std::string given_are{};
  // Asked before each node; true ends the check with an error of that kind.
  std::function<bool()> cancelled{};
};

// One float run, with which any number of ways to store the weights are compared. The model, in
// standard operators, outlives it.
class Checker {
 public:
  // Where the model is too large, or does not run, `skipped` says so and there is nothing to
  // compare with.
  static Expected<Checker> begin(const Model& model, const CheckOptions& options);

  const std::string& skipped() const { return skipped_; }
  Expected<Check> compare(std::span<const StoredWeight> weights) const;

 private:
  explicit Checker(const Model& model, const CheckOptions& options)
      : model_(&model), cancelled_(options.cancelled) {}

  const Model* model_;
  std::function<bool()> cancelled_;
  std::string skipped_, made_of_;
  std::vector<Sample> samples_;
  std::vector<std::vector<Tensor>> expected_;
};

// Both, once.
Expected<Check> check_quantization(const Model& model, std::span<const StoredWeight> weights,
                                   const CheckOptions& options = {});

inline constexpr std::int64_t kMaxCheckedParameters = 500'000'000;
// Multiply-adds of a run over all samples.
inline constexpr double kMostCheckWork = 5e10;

// The constants of `model` as they were quantized: the float values that kernels compute with.
Expected<Tensor> decoded_weight(const Model& model, const StoredWeight& stored);

}  // namespace subbyte
