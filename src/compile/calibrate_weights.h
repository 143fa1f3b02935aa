// Calibration of what a conversion stores: chosen layer by layer, then tuned end to end.
#pragma once

#include "compile/compile.h"
#include "quantize/weight_plan.h"
#include "samples/made_samples.h"

namespace subbyte {

// The numbers of `plan` by running the model on samples; `on_data`: the user's. The report says
// what it bought, or why nothing was done. An observer that cancels ends either with an error.
Expected<FitReport> calibrate_weights(Model& model, WeightPlan& plan, const SampleSet& samples,
                                      Effort effort, bool on_data, Observer& observer);

// What follows on the user's samples, or on text that a language model wrote, once widths are
// decided: what is tuned end to end to other made ones serves those.
Expected<TuningReport> tune_calibrated(const Model& model, WeightPlan& plan,
                                       const SampleSet& samples, Effort effort, bool on_data,
                                       Observer& observer);

}  // namespace subbyte
