// What calibration makes of a model on inputs that it has not seen, beside what it decides by:
//
//   calibration_kept MODEL.onnx DATA PRECISION...
//
// DATA are inputs as the model is used on (as `convert --calibration` takes them), or "made", for
// inputs that are made with another seed. Prints a line of JSON for each precision: of each way
// (rounded, biases, codes, codes and biases) the error of each sample, those it decides by and the
// others, with the kinds of the former. bench/calibration_kept.py makes a table of them.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "compile/choose_widths.h"
#include "data/load_samples.h"
#include "emit/check.h"
#include "import/onnx.h"
#include "passes/passes.h"
#include "quantize/fit/fit_weights.h"
#include "samples/image_scale.h"
#include "samples/input_statistics.h"

namespace {

using namespace subbyte;

constexpr std::size_t kMostJudging = 48;

Expected<std::vector<Sample>> judging_samples(const Model& model, const std::string& data,
                                              SampleOptions options) {
  if (data == "made") {
    options.seed = CheckOptions().seed;
    options.tuning = 0;
    options.held_out = kMostJudging;
    SUBBYTE_TRY(SampleSet made, make_samples(model, options));
    return std::move(made.held_out);
  }
  SUBBYTE_TRY(JudgingData judging, load_judging_data(disk(), data, model));
  auto& samples = judging.samples;
  if (samples.size() > kMostJudging) samples.resize(kMostJudging);
  return std::move(samples);
}

Expected<void> measure(const std::string& path, const std::string& data,
                       const std::string& precision) {
  SUBBYTE_TRY(Model model, read_onnx(disk(), path));
  SUBBYTE_CHECK_OK(resolve_control_flow(model));
  SUBBYTE_CHECK_OK(check_supported(model));
  SampleOptions making;
  making.image_scales = find_image_scales(model);
  making.statistics = find_input_statistics(model);
  SUBBYTE_CHECK_OK(run_passes(model, standard_passes(), {}));
  const auto policy = policy_from_name(precision);
  if (!policy) return fail("there is no precision {}", precision);
  SUBBYTE_TRY(WeightPlan plan, plan_weights(model, *policy));
  const auto wanted = samples_for(plan, Effort::good);
  if (!wanted) return fail("{}: too large", path);
  SampleOptions options = *wanted;
  options.image_scales = making.image_scales;
  options.statistics = making.statistics;
  SUBBYTE_TRY(SampleSet samples, make_samples(model, options));
  SUBBYTE_TRY(const auto judging, judging_samples(model, data, options));
  Observer quiet;
  WidthSurroundings around{.samples = &samples};
  around.observer = &quiet;
  Expected<std::vector<WeightPlan>> plans = std::vector<WeightPlan>{plan};
  if (precision == "mixed") plans = choose_mixed(model, plan, around);
  if (policy->precision && bits_of(*policy->precision) <= 4)
    plans = choose_wider(model, plan, *policy->precision, around);
  if (!plans) return tl::unexpected(plans.error());
  plan = std::move(plans->front());
  const std::size_t decided = samples.held_out.size();
  auto kinds = samples.held_out_kinds;
  samples.held_out.insert(samples.held_out.end(), judging.begin(), judging.end());
  // What is kept is not looked at here, and all are of one kind to the decision.
  samples.held_out_kinds.clear();
  SUBBYTE_TRY(const FitReport report, fit_weights(model, plan, samples));
  if (!report.skipped.empty()) return fail("{}", report.skipped);
  const nlohmann::json line = {
      {"model", path},  {"precision", precision},        {"decided", decided},
      {"kinds", kinds}, {"biases", report.tried_biases}, {"errors", report.by_sample}};
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: calibration_kept MODEL.onnx DATA PRECISION...\n");
    return 2;
  }
  for (int i = 3; i < argc; ++i) {
    const auto done = measure(argv[1], argv[2], argv[i]);
    if (!done) fmt::print(stderr, "{}, {}: {}\n", argv[1], argv[i], done.error().message);
  }
  return 0;
}
