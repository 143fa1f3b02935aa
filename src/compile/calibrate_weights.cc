#include "compile/calibrate_weights.h"

#include "compile/check_report.h"
#include "quantize/tune/tune_weights.h"

namespace subbyte {

Expected<FitReport> calibrate_weights(Model& model, WeightPlan& plan, const SampleSet& samples,
                                      Effort effort, bool on_data, Observer& observer) {
  FitOptions options{.effort = effort, .on_data = on_data};
  options.cancelled = [&] { return observer.cancelled(); };
  options.progress = [&](std::size_t done, std::size_t count) {
    observer.progress("calibrating", done, count);
  };
  auto report = fit_weights(model, plan, samples, options);
  if (!report) return within("calibration", std::move(report.error()));
  if (report->skipped.empty() && observer.wants_details())
    observer.detail(calibration_text(*report));
  return report;
}

Expected<TuningReport> tune_calibrated(const Model& model, WeightPlan& plan,
                                       const SampleSet& samples, Effort effort, bool on_data,
                                       Observer& observer) {
  TuneOptions options{.effort = effort, .on_data = on_data};
  options.cancelled = [&] { return observer.cancelled(); };
  options.progress = [&](std::size_t done, std::size_t count) {
    observer.progress("tuning", done, count);
  };
  auto report = tune_weights(model, plan, samples, options);
  if (!report) return within("tuning", std::move(report.error()));
  if (observer.wants_details()) observer.detail(tuning_text(*report));
  return report;
}

}  // namespace subbyte
