#include "quantize/tune/tune_weights.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "calibrate/batches.h"
#include "calibrate/constants.h"
#include "calibrate/gradient/segments.h"
#include "calibrate/random.h"
#include "quantize/fit/decision.h"
#include "quantize/fit/output_error.h"
#include "quantize/kept_matrix.h"
#include "quantize/tune/loss.h"
#include "quantize/tune/steps.h"
#include "quantize/tune/targets.h"
#include "quantize/tune/tuned_weights.h"
#include "quantize/tune/vary.h"
#include "samples/written_text.h"

namespace subbyte {
namespace {

using namespace tune;

// Multiplications: about a minute of one core for each 20 million parameters, of data a minute at
// least; and ten.
double work_of(const TuneOptions& options, const WeightPlan& plan) {
  const double good =
      std::max(options.on_data ? 1e12 : 0.0, 3.5e4 * static_cast<double>(parameters_of(plan)));
  return options.effort == Effort::best ? 10 * good : options.effort == Effort::good ? good : 0;
}

constexpr std::int64_t kMemoryOfTuned = std::int64_t{3} << 28,
                       kMemoryOfValues = std::int64_t{3} << 28;
// The float model's outputs are kept where they take no more.
constexpr std::int64_t kMemoryOfTargets = std::int64_t{1} << 28;
// A run with its way back, and of varied samples the float model's, in runs.
constexpr double kRunsOfStep = 3.5;
// Samples of a step. Fewer make more steps of the same work, and lose more; large ones are fewer,
// so that there are enough steps.
constexpr std::size_t kTogether = 8;
constexpr std::size_t kFewestSteps = 8, kEnoughSteps = 64;
constexpr int kJudgements = 10;
// Of a checkpoint.
constexpr std::string_view kUnderWay = "tuning", kDone = "tuned";
// Of every other sample so many of its tokens are drawn anew.
constexpr float kDrawnAnew = 0.5f;

double mean_of(std::span<const double> errors) {
  double sum = 0;
  for (const double error : errors) sum += error;
  return sum / static_cast<double>(errors.size());
}

class Tuning {
 public:
  Tuning(const Model& model, const WeightPlan& plan, const TuneOptions& options)
      : model_(model),
        graph_(model.main()),
        plan_(plan),
        options_(options),
        machine_(options.threads),
        contents_(output_contents(model)),
        counts_(outputs_that_count(graph_, contents_)) {}

  Expected<TuningReport> run(const SampleSet& samples) {
    TuningReport report;
    if (find_done(report)) return report;
    const std::span<const Sample> all = samples.tuning;
    auto way = calibrate::Backward::find(model_, candidates(), counts_);
    if (!way) {
      report.skipped = way.error().message;
      return report;
    }
    const auto fits = [&](TunedMatrix::Form form) {
      return bytes_of_tuned(*way, form) <= options_.memory_of_tuned.value_or(kMemoryOfTuned);
    };
    const auto weights_fit = [&] { return fits(TunedMatrix::Form::packed); };
    if (!find_segments(all, weights_fit)) {
      report.skipped = "one step takes more memory than tuning may";
      return report;
    }
    if (!weights_fit()) {
      report.skipped = "its weights take more memory than tuning may";
      return report;
    }
    const double runs = kRunsOfStep + (segments_.size() > 1 ? 1 : 0);
    const double each = work_of(options_, plan_) / std::max(runs * samples.work_each, 1.0);
    const auto in_all = static_cast<std::size_t>(std::min(each, 1e5));
    together_ = std::clamp<std::size_t>(all.size(), 1, kTogether);
    if (segments_.size() > 1)
      together_ = std::clamp<std::size_t>(in_all / kEnoughSteps, 1, together_);
    const std::size_t steps = in_all / together_;
    if (steps < kFewestSteps || all.empty() || samples.held_out.empty()) {
      report.skipped = "a step takes more work than the effort allows";
      return report;
    }
    form_ = fits(TunedMatrix::Form::codes)     ? TunedMatrix::Form::codes
            : fits(TunedMatrix::Form::numbers) ? TunedMatrix::Form::numbers
                                               : TunedMatrix::Form::packed;
    SUBBYTE_CHECK_OK(find_units(all));
    tuned_ = way->constants();
    SUBBYTE_CHECK_OK(begin());
    if (!weights_->has_matrices()) {
      report.skipped = "nothing that the outputs depend on is narrow";
      return report;
    }
    SUBBYTE_CHECK_OK(descend(*way, samples, steps, report));
    SUBBYTE_CHECK_OK(keep_done(report));
    return report;
  }

  // After run().
  void store(WeightPlan& plan) const {
    for (const auto& [v, matrix] : best_) plan.stored.at(v).source = ChosenNumbers{matrix};
  }

 private:
  // Between two steps.
  struct Descent {
    std::size_t step = 0;
    double least = 1, after = 0;     // of what is best
    std::vector<double> start = {};  // errors of the held-out samples
    Random random = Random(3);
    Shuffle shuffle;
  };

  Expected<void> begin() {
    SUBBYTE_TRY(weights_, TunedWeights::of(model_, plan_, tuned_, form_, units_));
    return {};
  }

  std::int64_t bytes_of_tuned(const calibrate::Backward& way, TunedMatrix::Form form) const {
    std::int64_t bytes = 0;
    for (const ValueId v : way.constants()) {
      const StoredWeight& stored = plan_.stored.at(v);
      if (!is_matrix_of_codes(stored)) continue;
      bytes += TunedMatrix::bytes_for(std::get<AffineEncoding>(stored.encoding), stored.rows,
                                      stored.k, form);
      // The gradients of a segment alone are there at a time.
      if (segments_.size() == 1) bytes += 4 * stored.rows * stored.k;
    }
    return bytes;
  }

  // All values are kept where those of the largest sample fit and the gradients of all weights do,
  // else those of a segment at a time. False where neither fits.
  bool find_segments(std::span<const Sample> samples, const std::function<bool()>& weights_fit) {
    const Sample* largest = nullptr;
    std::int64_t most = 0;
    for (const Sample& sample : samples) {
      const std::int64_t bytes = calibrate::kept_bytes(model_, sample);
      if (largest != nullptr && bytes <= most) continue;
      largest = &sample;
      most = bytes;
    }
    if (largest == nullptr || (most <= memory_of_values() && weights_fit())) return true;
    segments_ = calibrate::cut_into_segments(model_, *largest);
    return values_bytes(*largest) <= memory_of_values();
  }

  std::int64_t memory_of_values() const {
    return options_.memory_of_values.value_or(kMemoryOfValues);
  }

  std::int64_t values_bytes(const Sample& sample) const {
    return segments_.size() > 1 ? calibrate::segment_bytes(model_, sample, segments_)
                                : calibrate::kept_bytes(model_, sample);
  }

  // Narrow matrices, and trained numbers beside them.
  std::set<ValueId> candidates() const {
    std::set<ValueId> found;
    for (const WeightUse& use : plan_.uses) {
      const StoredWeight& stored = plan_.stored.at(use.value);
      const bool vector = (use.kind == WeightUseKind::scale || use.kind == WeightUseKind::bias) &&
                          std::holds_alternative<FloatEncoding>(stored.encoding);
      if (vector || is_matrix_of_codes(stored)) found.insert(use.value);
    }
    return found;
  }

  static float size_of(const Tensor& tensor) {
    double sum = 0;
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      const auto x = static_cast<double>(calibrate::floats(tensor)[i]);
      if (std::isfinite(x)) sum += x * x;
    }
    return static_cast<float>(
        std::sqrt(sum / static_cast<double>(std::max<std::int64_t>(1, tensor.elements()))));
  }

  // Of each vector about the size of what it is added to or multiplies: of a bias what its first
  // reader gives on the first sample.
  Expected<void> find_units(std::span<const Sample> samples) {
    std::map<ValueId, ValueId> given;  // by what a bias is read for
    for (const WeightUse& use : plan_.uses) {
      if (is_matrix(use.kind)) continue;
      units_[use.value] = 0;
      const auto reads = [&](const Node& node) {
        return std::ranges::find(node.inputs, use.value) != node.inputs.end();
      };
      const auto node = std::ranges::find_if(graph_.nodes, reads);
      if (use.kind == WeightUseKind::bias && node != graph_.nodes.end())
        given.emplace(node->outputs[0], use.value);
      else if (is_float(graph_.constant(use.value)->dtype))
        units_[use.value] = size_of(calibrate::as_float32(*graph_.constant(use.value)));
    }
    if (given.empty()) return {};
    SUBBYTE_TRY(auto run, Execution::begin(model_, samples.first(1), running(nullptr)));
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      SUBBYTE_CHECK_OK(run.step());
      const auto found = given.find(graph_.nodes[n].outputs[0]);
      if (found == given.end()) continue;
      const std::span<Tensor> values = run.value(found->first);
      if (!values.empty() && values[0].dtype == DType::float32)
        units_[found->second] = size_of(values[0]);
    }
    return {};
  }

  // The model as it is stored now, or the float model.
  ExecuteOptions running(const Tuning* stored) const {
    ExecuteOptions options{.threads = options_.threads, .cancelled = options_.cancelled};
    if (stored != nullptr) {
      options.replace = [stored](ValueId v) -> Expected<std::optional<Tensor>> {
        return stored->weights_->values(v, stored->machine_);
      };
    }
    return options;
  }

  Targets targets_of(std::span<const Sample> samples) const {
    return {model_, counts_, samples, running(nullptr), segments_.back(), kMemoryOfTargets};
  }

  // Adds what some samples say to the gradients: as many at a time as memory allows.
  Expected<void> add_gradients(const calibrate::Backward& way, std::span<const Sample> samples,
                               std::span<const std::size_t> chosen,
                               std::optional<Targets>& targets) {
    for (std::size_t first = 0; first < chosen.size();) {
      std::vector<Sample> batch;
      std::vector<std::vector<Tensor>> exact;
      std::int64_t bytes = 0;
      for (; first < chosen.size(); ++first) {
        const Sample& sample = samples[first];
        bytes += values_bytes(sample);
        if (!batch.empty() && bytes > memory_of_values()) break;
        batch.push_back(sample);
        if (!targets) continue;
        SUBBYTE_TRY(auto outputs, targets->of(chosen[first]));
        exact.push_back(std::move(outputs));
      }
      if (!targets) {
        SUBBYTE_TRY(exact, execute(model_, batch, running(nullptr)));
      }
      SUBBYTE_TRY(auto run, calibrate::SegmentedRun::run(model_, batch, running(this), segments_));
      calibrate::LostOutputs lost(batch.size());
      for (std::size_t s = 0; s < batch.size(); ++s)
        loss_of(contents_, exact[s], counted_outputs(graph_, counts_, run.last(), s),
                1 / static_cast<float>(chosen.size()), lost[s], machine_);
      exact.clear();
      SUBBYTE_CHECK_OK(
          // A gradient that is whole goes where it is stepped by, and its memory to the next.
          run.back(way, std::move(lost), lost_, machine_, [&](ValueId v) {
            const auto whole = lost_.find(v);
            weights_->add(v, whole->second.data(), machine_);
            lost_.erase(whole);
          }));
    }
    return {};
  }

  Expected<std::vector<double>> errors_of(std::span<const Sample> samples, Targets& targets) const {
    std::vector<double> errors;
    for (std::size_t s = 0; s < samples.size(); ++s) {
      SUBBYTE_TRY(const auto exact, targets.of(s));
      SUBBYTE_TRY(const auto found, execute(model_, samples.subspan(s, 1), running(this)));
      errors.push_back(fit::sample_error(contents_, exact, found[0]));
    }
    return errors;
  }

  Expected<void> descend(const calibrate::Backward& way, const SampleSet& samples,
                         std::size_t steps, TuningReport& report) {
    const std::span<const Sample> all = samples.tuning;
    // Text that a language model goes on with is no text once its words are others.
    const bool writes = find_language_model(model_, input_contents(model_)).has_value();
    const Variation variation(model_, writes ? std::span<const Sample>() : all);
    std::optional<Targets> targets;
    if (!variation.any()) targets.emplace(targets_of(all));
    Targets held_out = targets_of(samples.held_out);
    report.steps = steps;
    Descent now{.shuffle = Shuffle(all.size())};
    SUBBYTE_CHECK_OK(go_on(now, steps));
    if (now.step == 0) {
      SUBBYTE_TRY(now.start, errors_of(samples.held_out, held_out));
      now.after = mean_of(now.start);
    }
    report.before = mean_of(now.start);
    while (now.step < steps) {
      ++now.step;
      const std::vector<std::size_t> chosen = now.shuffle.next(together_, now.random);
      std::vector<Sample> together;
      together.reserve(chosen.size());
      for (const std::size_t i : chosen) {
        const bool varied = together.size() % 2 == 1;
        together.push_back(varied ? variation.of(all[i], kDrawnAnew, now.random) : all[i]);
      }
      SUBBYTE_CHECK_OK(add_gradients(way, together, chosen, targets));
      weights_->step(now.step, steps, machine_);
      if (options_.progress) options_.progress(now.step, steps);
      const bool judges = now.step * kJudgements / steps != (now.step - 1) * kJudgements / steps;
      if (!judges) continue;
      SUBBYTE_TRY(const std::vector<double> errors, errors_of(samples.held_out, held_out));
      const auto left = fit::what_is_left(now.start, errors, samples.held_out_kinds);
      if (left && *left < now.least) {
        now.least = *left;
        now.after = mean_of(errors);
        weights_->keep_best(graph_, plan_);
      } else {
        weights_->go_back();
      }
      if (now.step < steps) SUBBYTE_CHECK_OK(keep(now));
    }
    report.after = now.after;
    best_ = weights_->best();
    return {};
  }

  Expected<void> keep(const Descent& now) const {
    if (!options_.checkpoint.keeps()) return {};
    RecordWriter record;
    record.number(static_cast<std::uint64_t>(now.step));
    record.number(now.least);
    record.number(now.after);
    record.array(now.start);
    record.number(now.random.state());
    now.shuffle.write(record);
    weights_->write(record);
    return options_.checkpoint.keep(kUnderWay, record.bytes());
  }

  // Goes on after the last step that was kept.
  Expected<void> go_on(Descent& now, std::size_t steps) {
    const auto kept = options_.checkpoint.find(kUnderWay);
    if (!kept) return {};
    RecordReader record(*kept);
    Descent then{.shuffle = now.shuffle};
    then.step = static_cast<std::size_t>(record.number<std::uint64_t>());
    then.least = record.number<double>();
    then.after = record.number<double>();
    then.start = record.array<double>();
    then.random = Random(record.number<std::uint64_t>());
    const bool fits = then.shuffle.read(record) && then.step < steps &&
                      weights_->read(record, plan_, machine_) && record.is_whole();
    if (!fits) return begin();
    now = std::move(then);
    return {};
  }

  // What tuning ended with.
  Expected<void> keep_done(const TuningReport& report) const {
    if (!options_.checkpoint.keeps()) return {};
    RecordWriter record;
    record.number(static_cast<std::uint64_t>(report.steps));
    record.number(report.before);
    record.number(report.after);
    write_best(record, best_);
    SUBBYTE_CHECK_OK(options_.checkpoint.keep(kDone, record.bytes()));
    options_.checkpoint.forget(kUnderWay);
    return {};
  }

  bool find_done(TuningReport& report) {
    const auto kept = options_.checkpoint.find(kDone);
    if (!kept) return false;
    RecordReader record(*kept);
    TuningReport then;
    then.steps = static_cast<std::size_t>(record.number<std::uint64_t>());
    then.before = record.number<double>();
    then.after = record.number<double>();
    auto best = read_best(record, plan_);
    if (!best || !record.is_whole()) return false;
    best_ = std::move(*best);
    report = then;
    return true;
  }

  const Model& model_;
  const Graph& graph_;
  const WeightPlan& plan_;
  const TuneOptions& options_;
  mutable calibrate::Machine machine_;
  std::vector<OutputContent> contents_;
  std::vector<bool> counts_;  // of the outputs
  calibrate::Segments segments_{0};
  TunedMatrix::Form form_ = TunedMatrix::Form::codes;
  std::size_t together_ = 1;  // samples of a step
  std::map<ValueId, float> units_;
  std::set<ValueId> tuned_;
  std::optional<TunedWeights> weights_;
  calibrate::ConstantGradients lost_;
  TunedWeights::Best best_;
};

}  // namespace

Expected<TuningReport> tune_weights(const Model& model, WeightPlan& plan, const SampleSet& samples,
                                    const TuneOptions& options) {
  TuneOptions of_plan = options;
  if (options.checkpoint.keeps()) of_plan.checkpoint = options.checkpoint.of(record_of(plan));
  Tuning tuning(model, plan, of_plan);
  SUBBYTE_TRY(TuningReport report, tuning.run(samples));
  tuning.store(plan);
  return report;
}

}  // namespace subbyte
