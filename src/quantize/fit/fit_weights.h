// Chooses codes, scales and biases so that the outputs of the model stay near those of the float
// weights, by running both on samples. docs/quantization.md says what each step buys.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/checkpoint.h"
#include "base/error.h"
#include "quantize/weight_plan.h"
#include "samples/made_samples.h"

namespace subbyte {

// How much work calibration may do. It is counted in multiplications, never by the clock, so that
// the bytes do not depend on the machine.
enum class Effort : std::uint8_t { fast, good, best };
std::optional<Effort> effort_from_name(std::string_view name);

struct FitOptions {
  Effort effort = Effort::good;
  bool on_data = false;  // the user's samples, not made ones
  unsigned threads = 0;  // 0: as many as the machine has cores
  // Bytes of the activations that are tuned on; by default what the weights leave of about 2.4 GB.
  std::optional<std::int64_t> memory{};
  // What was chosen is kept there, and what it has is not chosen again.
  Checkpoint checkpoint{};
  // Asked before each node; true ends the work with an error of that kind.
  std::function<bool()> cancelled{};
  // `done` of `count` nodes.
  std::function<void(std::size_t done, std::size_t count)> progress{};
};

// What tuning end to end bought (quantize/tune).
struct TuningReport {
  std::string skipped{};  // why there was none; "" where there was
  std::size_t steps = 0;
  // The same error of the outputs on the held-out samples, before and as it is kept.
  double before = 0, after = 0;
};

struct FitReport {
  std::string skipped{};  // why nothing was done; "" where it was
  // Mean relative L2 error of the outputs on the held-out samples: with weights rounded as they
  // are, with biases that take back the shift of means, with codes chosen, and with both.
  double rounded = 0, biases = 0, codes = 0, codes_and_biases = 0;
  bool tried_biases = true;  // not of a language model
  // The same of each held-out sample, by what was tried, in that order.
  std::vector<std::vector<double>> by_sample{};
  // What leaves least of the errors of rounding, and makes no kind of samples lose (decision.h).
  enum class Kept : std::uint8_t { nothing, biases, codes, codes_and_biases } kept = Kept::nothing;
  std::size_t kept_index = 0;  // of by_sample
  std::optional<TuningReport> tuning{};
};

// Which samples that effort is worth, made ones (samples/made_samples.h) or the user's; nullopt
// where the model is too large for it. Of a text that a language model reads twice as many: its
// codes are chosen in one way alone.
std::optional<SampleOptions> samples_for(const WeightPlan& plan, Effort effort,
                                         bool on_data = false, bool reads_text = false);

// Whether two plans for the model may be calibrated where one was asked for, and the better be
// taken: what the effort allows whatever the parameters allows for them.
bool may_calibrate_two(const WeightPlan& plan, Effort effort);

// Of a model in standard operators. What is kept is in `plan` (ChosenNumbers); the model gets
// biases of zeros where the plan stores others. Where the samples take more work or memory than the
// effort and the machine have, fewer are used, or none. Samples that do not fit the model are
// errors, as is what the executor refuses.
Expected<FitReport> fit_weights(Model& model, WeightPlan& plan, const SampleSet& samples,
                                const FitOptions& options = {});

}  // namespace subbyte
