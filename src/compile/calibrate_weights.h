// Calibration of what a conversion stores: chosen layer by layer, then tuned end to end.
#pragma once

#include "compile/compile.h"
#include "quantize/weight_plan.h"
#include "samples/made_samples.h"

namespace subbyte {

struct CalibrateOptions {
  Effort effort = Effort::good;
  bool on_data = false;  // the user's samples
  Checkpoint checkpoint{};
};

// The numbers of `plan` by running the model on samples. The report says
// what it bought, or why nothing was done. An observer that cancels ends either with an error.
Expected<FitReport> calibrate_weights(Model& model, WeightPlan& plan, const SampleSet& samples,
                                      const CalibrateOptions& asked, Observer& observer);

// What follows on the user's samples, or on text that a language model wrote, once widths are
// decided: what is tuned end to end to other made ones serves those.
Expected<TuningReport> tune_calibrated(const Model& model, WeightPlan& plan,
                                       const SampleSet& samples, const CalibrateOptions& asked,
                                       Observer& observer);

}  // namespace subbyte
