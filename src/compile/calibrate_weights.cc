#include "compile/calibrate_weights.h"

#include "compile/check_report.h"
#include "quantize/tune/tune_weights.h"

namespace subbyte {

Expected<FitReport> calibrate_weights(Model& model, WeightPlan& plan, const SampleSet& samples,
                                      const CalibrateOptions& asked, Observer& observer) {
  FitOptions options{
      .effort = asked.effort, .on_data = asked.on_data, .checkpoint = asked.checkpoint};
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
                                       const SampleSet& samples, const CalibrateOptions& asked,
                                       Observer& observer) {
  TuneOptions options{
      .effort = asked.effort, .on_data = asked.on_data, .checkpoint = asked.checkpoint};
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
