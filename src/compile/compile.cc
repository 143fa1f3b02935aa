#include "compile/compile.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "compile/best_calibrated.h"
#include "compile/calibrate_weights.h"
#include "compile/check_report.h"
#include "compile/checkpoint_of.h"
#include "compile/choose_widths.h"
#include "compile/module_output.h"
#include "compile/onnx_output.h"
#include "compile/precision_file.h"
#include "compile/remedy.h"
#include "compile/source_bytes.h"
#include "compile/width_study.h"
#include "data/load_samples.h"
#include "emit/check.h"
#include "graph/branches.h"
#include "graph/infer.h"
#include "graph/source_form.h"
#include "graph/text.h"
#include "passes/passes.h"
#include "plan/lower.h"
#include "plan/weight_code.h"
#include "quantize/weight_plan.h"
#include "samples/input_statistics.h"
#include "samples/written_text.h"

namespace subbyte {
namespace {

// The stages of one conversion. Each is named where it begins, and only there is a cancelled
// conversion noticed, and between two weights.
class Compilation {
 public:
  Compilation(const Source& source, const CompileOptions& options, const Output& output,
              Observer& observer)
      : source_(source), options_(options), output_(output), observer_(observer) {}

  Expected<CompileResult> run(Model model) {
    SUBBYTE_TRY(const std::int64_t bytes_before,
                bytes_of_source(*source_.files, source_.bytes, model));
    SUBBYTE_CHECK_OK(standardize(model));
    SUBBYTE_TRY(WeightPlan weights, fitted_weights(model));
    SUBBYTE_TRY(std::optional<Check> checked, check(model, weights));
    study_.not_calibrated = not_run_;
    SUBBYTE_TRY(std::optional<Study> study, finished_study(model, weights));
    if (options_.target == Target::onnx) {
      SUBBYTE_CHECK_OK(leave_standard(model));
      SUBBYTE_CHECK_OK(begin("writing"));
      SUBBYTE_TRY(CompileResult done,
                  write_onnx_output(model, weights, options_.quantized_nodes, output_, observer_,
                                    [&] { return not_cancelled(); }));
      done.source_bytes = bytes_before;
      done.check = std::move(checked);
      done.study = std::move(study);
      return done;
    }
    ManifestFacts facts;
    facts.source = {base_name_of(source_.path), source_bytes(), std::move(source_sha256_)};
    facts.check = std::move(checked);
    SUBBYTE_TRY(const Plan plan, make_plan(model, weights));
    SUBBYTE_TRY(
        CompileResult done,
        write_module_output(model, plan, std::move(weights), std::move(facts), options_, output_,
                            observer_, [&](std::string_view stage) { return begin(stage); }));
    done.source_bytes = bytes_before;
    done.study = std::move(study);
    return done;
  }

  // The widths alone, as a mixed-precision file.
  Expected<ChosenPrecisions> choose(Model model) {
    SUBBYTE_CHECK_OK(standardize(model));
    SUBBYTE_TRY(const WeightPlan asked, planned_weights(model));
    SUBBYTE_TRY(const auto samples, calibration_samples(model, asked));
    SUBBYTE_TRY(const BestPlan decided, decide_widths(model, asked, samples, false));
    const WeightPlan& weights = decided.widths;
    std::vector<std::optional<double>> losses(weights.uses.size());
    if (samples) {
      SUBBYTE_CHECK_OK(begin("measuring"));
      auto measured = matrix_losses(model, weights, surroundings(samples));
      SUBBYTE_CHECK_OK(not_cancelled());
      if (!measured) return within("measuring", std::move(measured.error()));
      losses = std::move(*measured);
    }
    ChosenPrecisions chosen{precision_file(model, weights, options_.precision, losses), {}};
    SUBBYTE_TRY(chosen.study, finished_study(model, weights, losses));
    return chosen;
  }

 private:
  // Every weight with its encoding, and with its numbers where calibration chooses them.
  Expected<WeightPlan> fitted_weights(Model& model) {
    SUBBYTE_TRY(const WeightPlan asked, planned_weights(model));
    SUBBYTE_TRY(const auto samples, calibration_samples(model, asked));
    SUBBYTE_TRY(BestPlan decided, decide_widths(model, asked, samples, true));
    model = std::move(decided.calibrated.model);
    // Other inputs that are made are too unlike real ones for what learns them by heart.
    const bool tunes = samples && (given_ || samples->written);
    if (tunes && fit_ && fit_->skipped.empty() && *options_.calibration != Effort::fast) {
      SUBBYTE_CHECK_OK(tune(model, decided.calibrated.plan, *samples));
    }
    return std::move(decided.calibrated.plan);
  }

  // `asked` with the widths that are chosen for it, and as calibration leaves it: where it is to be
  // calibrated, or calibration decides.
  Expected<BestPlan> decide_widths(const Model& model, const WeightPlan& asked,
                                   const std::optional<SampleSet>& samples, bool calibrates) {
    BestPlan decided;
    if (options_.goal.loss) {
      SUBBYTE_TRY(decided.calibrated, smallest_that_loses(model, asked, samples));
      decided.widths = decided.calibrated.plan;
    } else {
      SUBBYTE_TRY(auto plans, choose_widths(model, asked, samples));
      decided = {plans[0], {model, plans[0]}};
      const auto each = [&](Model& m, WeightPlan& p) { return calibrate(m, p, *samples); };
      if (samples && (calibrates || plans.size() > 1)) {
        SUBBYTE_TRY(decided, best_calibrated(model, plans, samples->held_out_kinds, each));
      }
    }
    SUBBYTE_CHECK_OK(study_choice(model, asked, decided.widths, samples));
    tell_of_weights(decided.calibrated.model, decided.widths);
    if (calibrates || options_.goal.loss) fit_ = decided.calibrated.fit;
    return decided;
  }

  Expected<WeightPlan> planned_weights(const Model& model) {
    SUBBYTE_TRY(WeightPlan weights, choose_weights(model));
    SUBBYTE_CHECK_OK(read_samples(model, weights));
    return weights;
  }

  // The model in standard operators, every shape known.
  Expected<void> standardize(Model& model) {
    SUBBYTE_CHECK_OK(begin("passes"));
    detail([&] { return to_text(model); });
    SUBBYTE_CHECK_OK(fix_inputs(model, options_.fixed));
    SUBBYTE_CHECK_OK(resolve_control_flow(model));
    SUBBYTE_CHECK_OK(check_supported(model));
    model.rounds_activations = options_.rounds_activations;
    image_scales_ = find_image_scales(model);
    for (const auto& [name, scale] : image_scales_)
      detail([&, name = name, scale = scale] {
        return fmt::format("input {} takes pictures as {}, say the statistics of its normalisation",
                           quoted(name), text_of(scale));
      });
    statistics_ = find_input_statistics(model);
    auto done = run_passes(model, standard_passes(), dumps());
    if (!done) return within(quoted(source_.path), std::move(done.error()));
    return {};
  }

  // Of the user's samples, if there are any.
  Expected<void> read_samples(const Model& model, const WeightPlan& weights) {
    if (options_.samples.empty()) return {};
    const Effort effort = options_.calibration.value_or(Effort::good);
    const bool reads_text = find_language_model(model, input_contents(model)).has_value();
    SampleOptions wanted = samples_for(weights, effort, true, reads_text).value_or(SampleOptions());
    wanted.judging = CheckOptions().samples;
    wanted.cancelled = [&] { return observer_.cancelled(); };
    auto samples = load_samples(*source_.files, options_.samples, model, wanted);
    SUBBYTE_CHECK_OK(not_cancelled());
    if (!samples) return tl::unexpected(std::move(samples.error()));
    given_ = std::move(*samples);
    return {};
  }

  Expected<WeightPlan> choose_weights(const Model& model) {
    SUBBYTE_CHECK_OK(begin("weights"));
    auto policy = policy_from_name(options_.precision);
    if (!policy) return fail("--precision {}: no such precision", quoted(options_.precision));
    const auto& rules = policy->rules = options_.mixed_rules;
    auto weights = plan_weights(model, *policy,
                                [&](std::span<WeightMeter> meters) { return measure(meters); });
    const bool wrong_rules = !weights && rules && weights.error().kind != ErrorKind::cancelled;
    if (wrong_rules) return within(options_.mixed_rules_name, std::move(weights.error()));
    return weights;
  }

  void tell_of_weights(const Model& model, const WeightPlan& weights) {
    for (const auto& t : weights.told) observer_.warning(options_.mixed_rules_name + ": " + t);
    for (const auto& note : weights.requantized) observer_.note(note);
    for (const auto& note : widening_notes(model, weights)) detail([&] { return note; });
    for (const auto& note : output_notes(model, weights)) observer_.note(note);
    if (weights.broken) {
      observer_.warning(
          fmt::format("{}: {}", options_.precision, promise_text(model, weights, *weights.broken)));
    }
  }

  // A module's manifest says the source's hash, which is found in the same reading.
  Expected<void> measure(std::span<WeightMeter> meters) {
    if (options_.target == Target::onnx) {
      measure_all(meters);
      return {};
    }
    SUBBYTE_TRY(source_sha256_, hash_and_measure(source_.bytes, meters, [&](std::size_t done) {
                  observer_.progress_bytes("reading weights", static_cast<std::int64_t>(done),
                                           source_bytes());
                  return not_cancelled();
                }));
    return {};
  }

  Expected<SampleSet> samples_of(const Model& model, SampleOptions options) {
    if (given_) return *given_;
    options.cancelled = [&] { return observer_.cancelled(); };
    options.image_scales = image_scales_;
    options.statistics = statistics_;
    return make_samples(model, options);
  }

  void without_calibration(const std::string& why) {
    not_run_ = why;
    observer_.note(
        "weights are rounded without calibration (" + why +
        "); --effort best allows more work, --calibration none says that none is wanted");
  }

  // Where there is something to choose: a weight at 8 bits or fewer that did not arrive so. Nothing
  // where it is not to be, or cannot.
  Expected<std::optional<SampleSet>> calibration_samples(const Model& model,
                                                         const WeightPlan& weights) {
    std::optional<SampleSet> none;
    not_run_ = options_.calibration ? "no weight can be narrow" : "--calibration none";
    // A mix may make any matrix narrow, whatever it is by component.
    const bool mixes = options_.precision == "mixed" && measures_widths();
    const bool narrow = std::ranges::any_of(weights.uses, [&](const WeightUse& use) {
      const StoredWeight& stored = weights.stored.at(use.value);
      return (mixes && is_matrix(use.kind)) ||
             (std::holds_alternative<AffineEncoding>(stored.encoding) &&
              !std::holds_alternative<CodesOfGrid>(stored.source));
    });
    if (!options_.calibration || !narrow) return none;
    if (Guards(model.main()).any()) {
      not_run_ = "an If decides which weights a run reads";
      observer_.note(
          "weights are rounded without calibration, for an If decides which of them a run reads; "
          "fix what decides it with --input or --dim");
      return none;
    }
    SUBBYTE_CHECK_OK(begin(measures_widths() ? "measuring" : "calibrating"));
    const auto wanted = samples_for(weights, *options_.calibration, given_.has_value());
    if (!wanted) {
      without_calibration("it has too many parameters for that effort");
      return none;
    }
    auto samples = samples_of(model, *wanted);
    SUBBYTE_CHECK_OK(not_cancelled());
    if (!samples) {
      without_calibration(fmt::format("the model cannot be run here: {}", samples.error().message));
      return none;
    }
    checkpoint_ = checkpoint_of(options_.checkpoint, model, *samples, *options_.calibration,
                                given_.has_value());
    return std::optional(std::move(*samples));
  }

  WidthSurroundings surroundings(const std::optional<SampleSet>& samples) {
    WidthSurroundings around{.samples = samples ? &*samples : nullptr, .reason = not_run_};
    around.effort = options_.calibration.value_or(Effort::good);
    around.adds_biases = options_.calibration.has_value();
    around.checkpoint = checkpoint_;
    around.observer = &observer_;
    if (options_.study) around.measured = &mix_;
    return around;
  }

  bool measures_widths() const {
    if (options_.goal.any()) return true;
    if (options_.precision == "mixed") return !options_.mixed_rules;
    return bits_of(*precision_from_name(options_.precision)) <= 8;
  }

  // What depends on running the model: the mix, and which weights stay wider inside the promise of
  // a precision of 8 bits or fewer. Where calibration may choose, several plans.
  Expected<std::vector<WeightPlan>> choose_widths(const Model& model, const WeightPlan& weights,
                                                  const std::optional<SampleSet>& samples) {
    Expected<std::vector<WeightPlan>> plans = std::vector{weights};
    if (!measures_widths()) return plans;
    SUBBYTE_CHECK_OK(begin("measuring"));
    const auto around = surroundings(samples);
    if (options_.goal.any()) {
      plans = choose_for_size(model, weights, options_.goal, around);
    } else if (options_.precision == "mixed") {
      plans = choose_mixed(model, weights, around);
    } else if (samples) {
      plans = choose_wider(model, weights, *precision_from_name(options_.precision), around);
    }
    SUBBYTE_CHECK_OK(not_cancelled());
    return plans;
  }

  Expected<TriedPlan> smallest_that_loses(const Model& model, const WeightPlan& weights,
                                          const std::optional<SampleSet>& samples) {
    SUBBYTE_CHECK_OK(begin("measuring"));
    const LossGoal& goal = *options_.goal.loss;
    SUBBYTE_TRY(const LossMeasure measure, fitting_measure(model, goal));
    const auto finish = [&](WeightPlan plan) -> Expected<TriedPlan> {
      TriedPlan tried{model, std::move(plan)};
      SUBBYTE_TRY(tried.fit, calibrate(tried.model, tried.plan, *samples));
      SUBBYTE_TRY(const Checker checker, Checker::begin(tried.model, check_options(true)));
      if (!checker.skipped().empty()) return fail("--max-loss: {}", checker.skipped());
      SUBBYTE_TRY(const Check check, checker.compare(stored_of(tried.plan)));
      tried.lost = lost_of(check, measure);
      return tried;
    };
    auto tried = choose_for_loss(model, weights, goal, surroundings(samples), finish);
    SUBBYTE_CHECK_OK(not_cancelled());
    return tried;
  }

  CalibrateOptions calibrating() const {
    return {*options_.calibration, given_.has_value(), checkpoint_};
  }

  Expected<FitReport> calibrate(Model& model, WeightPlan& weights, const SampleSet& samples) {
    SUBBYTE_CHECK_OK(begin("calibrating"));
    auto report = calibrate_weights(model, weights, samples, calibrating(), observer_);
    SUBBYTE_CHECK_OK(not_cancelled());
    if (report && !report->skipped.empty()) without_calibration(report->skipped);
    return report;
  }

  Expected<void> tune(const Model& model, WeightPlan& weights, const SampleSet& samples) {
    SUBBYTE_CHECK_OK(begin("tuning"));
    auto report = tune_calibrated(model, weights, samples, calibrating(), observer_);
    SUBBYTE_CHECK_OK(not_cancelled());
    if (!report) return tl::unexpected(std::move(report.error()));
    fit_->tuning = std::move(*report);
    return {};
  }

  // What the widths that were chosen cost beside others, where a report is to tell.
  Expected<void> study_choice(const Model& model, const WeightPlan& asked, const WeightPlan& chosen,
                              const std::optional<SampleSet>& samples) {
    if (!options_.study) return {};
    SUBBYTE_CHECK_OK(begin("measuring"));
    auto done = study_widths(model, asked, chosen, mix_, surroundings(samples), study_);
    SUBBYTE_CHECK_OK(not_cancelled());
    if (!done) return within("measuring", std::move(done.error()));
    return {};
  }

  Expected<std::optional<Study>> finished_study(
      const Model& model, const WeightPlan& weights,
      std::span<const std::optional<double>> losses = {}) {
    if (!options_.study) return std::optional<Study>();
    if (fit_ && fit_->skipped.empty()) study_.calibration = std::move(fit_);
    SUBBYTE_CHECK_OK(study_weights(model, weights, losses, study_));
    return std::optional(std::move(study_));
  }

  CheckOptions check_options(bool whatever_size) {
    CheckOptions wanted;
    wanted.whatever_size = whatever_size;
    if (given_) {
      wanted.given = given_->judging;
      wanted.given_are = given_->made_of;
    }
    wanted.cancelled = [&] { return observer_.cancelled(); };
    return wanted;
  }

  Expected<std::optional<Check>> check(const Model& model, const WeightPlan& weights) {
    if (!options_.check) return std::optional<Check>();
    SUBBYTE_CHECK_OK(begin("checking"));
    auto checker = Checker::begin(model, check_options(options_.check_whatever_size));
    SUBBYTE_CHECK_OK(not_cancelled());
    if (!checker) return tl::unexpected(std::move(checker.error()));
    auto check = checker->compare(stored_of(weights));
    SUBBYTE_CHECK_OK(not_cancelled());
    if (!check) return tl::unexpected(std::move(check.error()));
    for (const auto& output : check->outputs) detail([&] { return loss_detail(output); });
    const OutputCheck* const worst = worst_output(*check);
    if (worst != nullptr && severity(*worst) >= 1) {
      SUBBYTE_TRY(const std::string remedy,
                  remedy_of(model, *checker, options_.precision, options_.calibration.has_value(),
                            worst->name, [&] { return not_cancelled(); }));
      observer_.warning(fmt::format("{} ruins this model: output {}: {} on {} samples ({}); {}",
                                    options_.precision, quoted(worst->name), loss_text(*worst),
                                    check->samples, check->made_of, remedy));
    }
    return std::optional(std::move(*check));
  }

  Expected<Plan> make_plan(Model& model, const WeightPlan& weights) {
    SUBBYTE_CHECK_OK(begin("fusion"));
    SUBBYTE_CHECK_OK(run_passes(model, fusion_passes(), dumps()));
    SUBBYTE_CHECK_OK(begin("lowering"));
    // A file of weights holds what it is to hold.
    const std::int64_t most_joined = options_.shard_bytes > 0 ? options_.shard_bytes : kMaxBinding;
    SUBBYTE_TRY(Plan plan, lower(model, weights.stored, most_joined));
    detail([&] {
      return fmt::format("{} dispatches, {} pipelines", plan.steps.size(), plan.pipelines.size());
    });
    for (const auto& [weight, step] : plan.read_by_elements) {
      const ValueId value = plan.weights[weight].value;
      observer_.warning(
          fmt::format("weight {}: {} sums over other axes than it is packed along for its first "
                      "reader, or over "
                      "a part of them, and reads it an element at a time, which is slow",
                      quoted(source_name(model.main().values[value])), quoted(step)));
    }
    return plan;
  }

  Expected<void> begin(std::string_view stage) {
    SUBBYTE_CHECK_OK(not_cancelled());
    if (stage != stage_) observer_.stage(stage);
    stage_ = stage;
    return {};
  }

  Expected<void> not_cancelled() const {
    if (!observer_.cancelled()) return {};
    return fail_as(ErrorKind::cancelled, "{}: the conversion was cancelled", quoted(source_.path));
  }

  // A text of the whole model reads and hashes all its weights.
  template <typename MakeText>
  void detail(MakeText make_text) {
    if (observer_.wants_details()) observer_.detail(make_text());
  }

  PassObserver dumps() {
    return [this](const Pass& pass, const Model& model) {
      detail([&] {
        return fmt::format("after {} ({}):\n{}", pass.name, pass.establishes, to_text(model));
      });
    };
  }

  std::int64_t source_bytes() const { return static_cast<std::int64_t>(source_.bytes.size()); }
  std::map<std::string, ImageScale> image_scales_;  // for samples that are made
  std::map<std::string, Standardisation> statistics_;
  std::optional<SampleSet> given_;
  Checkpoint checkpoint_;
  std::string_view stage_;
  std::string not_run_;  // why there are no samples to run the model on
  const Source& source_;
  const CompileOptions& options_;
  const Output& output_;
  Observer& observer_;
  std::string source_sha256_;
  // For a report.
  Study study_;
  std::optional<allocate::Mix> mix_;
  std::optional<FitReport> fit_;
};

}  // namespace

Expected<CompileResult> compile(const Source& source, Model model, const CompileOptions& options,
                                const Output& output, Observer& observer) {
  return Compilation(source, options, output, observer).run(std::move(model));
}

Expected<ChosenPrecisions> choose_precisions(const Source& source, Model model,
                                             const CompileOptions& options, Observer& observer) {
  return Compilation(source, options, Output(), observer).choose(std::move(model));
}

Expected<CompileResult> compile(const Source& source, const CompileOptions& options,
                                const Output& output, Observer& observer) {
  SUBBYTE_TRY(Model model, read_model(source, observer));
  return compile(source, std::move(model), options, output, observer);
}

}  // namespace subbyte
