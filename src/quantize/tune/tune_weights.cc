#include "quantize/tune/tune_weights.h"

#include <algorithm>
#include <cmath>

#include "base/scalar_math.h"
#include "calibrate/batches.h"
#include "calibrate/constants.h"
#include "calibrate/gradient/backward.h"
#include "calibrate/random.h"
#include "quantize/fit/decision.h"
#include "quantize/fit/output_error.h"
#include "quantize/pack_weight.h"
#include "quantize/tune/loss.h"
#include "quantize/tune/tuned_matrix.h"
#include "quantize/tune/tuned_vector.h"
#include "quantize/tune/vary.h"
#include "samples/written_text.h"

namespace subbyte {
namespace {

using namespace tune;

std::int64_t parameters_of(const WeightPlan& plan) {
  std::int64_t parameters = 0;
  for (const WeightUse& use : plan.uses) parameters += use.parameters();
  return parameters;
}

// Multiplications: about a minute of one core for each 20 million parameters, and ten.
double work_of(Effort effort, const WeightPlan& plan) {
  const double good = std::max(1e12, 4e4 * static_cast<double>(parameters_of(plan)));
  return effort == Effort::best ? 10 * good : effort == Effort::good ? good : 0;
}

// Bytes of what is tuned, and of the activations of the samples that go together.
constexpr std::int64_t kMemoryOfTuned = std::int64_t{3} << 28,
                       kMemoryOfValues = std::int64_t{3} << 28;
// The float model's outputs are kept where they take no more.
constexpr std::int64_t kMemoryOfTargets = std::int64_t{1} << 28;
// A run with its way back, and of varied samples the float model's, in runs.
constexpr double kRunsOfStep = 3.5;
// Codes of so many bits and fewer are tuned: at more, rounding is no longer what is lost most.
constexpr int kBitsOfTunedCodes = 3;
// Samples of a step. Fewer make more steps of the same work, and lose more.
constexpr std::size_t kTogether = 8;
constexpr std::size_t kFewestSteps = 8;
constexpr int kJudgements = 10;
// At first; docs/quantization.md says what others do.
constexpr Rates kRates{.scale = 3e-4f, .zero = 2e-3f, .position = 1e-3f, .number = 2e-4f};
// Of every other sample so many of its tokens are drawn anew.
constexpr float kDrawnAnew = 0.5f;

double mean_of(std::span<const double> errors) {
  double sum = 0;
  for (const double error : errors) sum += error;
  return sum / static_cast<double>(errors.size());
}

// Up to the whole rates in the first tenth, for the first steps go the same way everywhere; then
// down to none, as a cosine goes (Loshchilov and Hutter: SGDR, 2017).
Rates rates_at(std::size_t step, std::size_t steps) {
  constexpr double kPi = 3.14159265358979323846;
  const double along = static_cast<double>(step) / static_cast<double>(steps);
  const auto part = static_cast<float>(0.5 * (1 + cos_of(kPi * along)) * std::min(1.0, 10 * along));
  return {kRates.scale * part, kRates.zero * part, kRates.position * part, kRates.number * part};
}

// All of [0, count) in an order drawn anew each time round.
class Shuffle {
 public:
  explicit Shuffle(std::size_t count) : count_(count) {}

  std::vector<std::size_t> next(std::size_t size, Random& random) {
    std::vector<std::size_t> chosen;
    while (chosen.size() < size) {
      if (order_.empty()) draw(random);
      chosen.push_back(order_.back());
      order_.pop_back();
    }
    return chosen;
  }

 private:
  void draw(Random& random) {
    for (std::size_t i = 0; i < count_; ++i) order_.push_back(i);
    for (std::size_t i = count_; i > 1; --i)
      std::swap(order_[i - 1],
                order_[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(i)))]);
  }

  std::size_t count_;
  std::vector<std::size_t> order_;
};

class Tuning {
 public:
  Tuning(const Model& model, const WeightPlan& plan, const TuneOptions& options)
      : model_(model),
        graph_(model.main()),
        plan_(plan),
        options_(options),
        machine_(options.threads),
        contents_(output_contents(model)) {}

  Expected<TuningReport> run(const SampleSet& samples) {
    TuningReport report;
    const std::span<const Sample> all = samples.tuning;
    std::int64_t most = 0;
    for (const Sample& sample : all) most = std::max(most, calibrate::kept_bytes(model_, sample));
    if (most > kMemoryOfValues) {
      report.skipped = "one step takes more memory than tuning may";
      return report;
    }
    const double work_of_step = kRunsOfStep * samples.work_each;
    const double each = work_of(options_.effort, plan_) / std::max(work_of_step, 1.0);
    const auto in_all = static_cast<std::size_t>(std::min(each, 1e5));
    together_ = std::clamp<std::size_t>(all.size(), 1, kTogether);
    const std::size_t steps = in_all / together_;
    if (steps < kFewestSteps || all.empty() || samples.held_out.empty()) {
      report.skipped = "a step takes more work than the effort allows";
      return report;
    }
    auto way =
        calibrate::Backward::find(model_, candidates(), outputs_that_count(graph_, contents_));
    if (!way) {
      report.skipped = way.error().message;
      return report;
    }
    if (bytes_of_tuned(*way, false) > kMemoryOfTuned) {
      report.skipped = "its weights take more memory than tuning may";
      return report;
    }
    SUBBYTE_CHECK_OK(begin(*way, all));
    if (matrices_.empty()) {
      report.skipped = "nothing that the outputs depend on is narrow";
      return report;
    }
    SUBBYTE_CHECK_OK(descend(*way, samples, steps, report));
    return report;
  }

  // After run().
  void store(WeightPlan& plan) const {
    for (const auto& [v, matrix] : best_) plan.stored.at(v).source = ChosenNumbers{matrix};
  }

 private:
  using Best = std::map<ValueId, std::shared_ptr<const PackedMatrix>>;

  bool is_matrix_of_codes(const StoredWeight& stored) const {
    const auto* const affine = std::get_if<AffineEncoding>(&stored.encoding);
    return affine != nullptr && affine->scale_bits == 16 &&
           !std::holds_alternative<CodesOfGrid>(stored.source);
  }

  std::int64_t bytes_of_tuned(const calibrate::Backward& way, bool codes) const {
    std::int64_t bytes = 0;
    for (const ValueId v : way.constants()) {
      const StoredWeight& stored = plan_.stored.at(v);
      if (is_matrix_of_codes(stored)) bytes += TunedMatrix::bytes_for(stored.rows, stored.k, codes);
    }
    return bytes;
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

  // About the size of what a constant is added to or multiplies.
  float unit_of(ValueId v, WeightUseKind kind, Execution& run) const {
    const auto size_of = [](const Tensor& tensor) {
      double sum = 0;
      for (std::int64_t i = 0; i < tensor.elements(); ++i) {
        const auto x = static_cast<double>(calibrate::floats(tensor)[i]);
        if (std::isfinite(x)) sum += x * x;
      }
      return static_cast<float>(
          std::sqrt(sum / static_cast<double>(std::max<std::int64_t>(1, tensor.elements()))));
    };
    if (kind == WeightUseKind::bias) {
      for (const Node& node : graph_.nodes) {
        if (std::ranges::find(node.inputs, v) == node.inputs.end()) continue;
        const std::span<Tensor> values = run.value(node.outputs[0]);
        if (!values.empty() && values[0].dtype == DType::float32) return size_of(values[0]);
      }
    }
    return size_of(calibrate::as_float32(*graph_.constant(v)));
  }

  // What is tuned, as it is stored, and what else is stored narrower.
  Expected<void> begin(const calibrate::Backward& way, std::span<const Sample> samples) {
    SUBBYTE_TRY(auto run, Execution::begin(model_, samples.first(1), keeping(nullptr)));
    while (run.next() < graph_.nodes.size()) SUBBYTE_CHECK_OK(run.step());
    const bool codes_too = bytes_of_tuned(way, true) <= kMemoryOfTuned;
    for (const WeightUse& use : plan_.uses) {
      const ValueId v = use.value;
      const StoredWeight& stored = plan_.stored.at(v);
      const auto& dims = graph_.constant(v)->dims;
      const bool tuned = way.constants().contains(v);
      if (!tuned && value_bits(stored.encoding) == 32 &&
          !std::holds_alternative<ChosenNumbers>(stored.source))
        continue;
      if (std::holds_alternative<IntegerEncoding>(stored.encoding)) continue;
      SUBBYTE_TRY(const PackedMatrix matrix, pack_weight(model_, stored));
      if (!tuned) {
        fixed_.emplace(v, unpacked_tensor(matrix, stored.order, dims));
      } else if (is_matrix_of_codes(stored)) {
        const bool codes = codes_too && value_bits(stored.encoding) <= kBitsOfTunedCodes;
        std::vector<float> exact;
        if (codes) exact = exact_of(stored);
        matrices_.emplace(v, TunedMatrix(matrix, source_layout(stored.order, dims), dims,
                                         codes ? exact.data() : nullptr));
      } else {
        vectors_.emplace(v, TunedVector(stored, unpacked_tensor(matrix, stored.order, dims),
                                        unit_of(v, use.kind, run)));
      }
    }
    for (const ValueId v : way.constants())
      lost_[v].resize(static_cast<std::size_t>(graph_.constant(v)->elements()));
    return {};
  }

  std::vector<float> exact_of(const StoredWeight& stored) const {
    std::vector<float> exact(static_cast<std::size_t>(stored.rows * stored.k));
    row_reader(*graph_.constant(stored.value), stored.order)(0, stored.rows, exact.data());
    return exact;
  }

  const Tensor* tuned(ValueId v) const {
    if (const auto matrix = matrices_.find(v); matrix != matrices_.end())
      return &matrix->second.values();
    if (const auto vector = vectors_.find(v); vector != vectors_.end())
      return &vector->second.values();
    const auto fixed = fixed_.find(v);
    return fixed == fixed_.end() ? nullptr : &fixed->second;
  }

  // The model as it is stored now, or the float model.
  ExecuteOptions running(const Tuning* stored) const {
    ExecuteOptions options{.threads = options_.threads, .cancelled = options_.cancelled};
    if (stored != nullptr) {
      options.replace = [stored](ValueId v) -> Expected<std::optional<Tensor>> {
        const Tensor* const found = stored->tuned(v);
        return found == nullptr ? std::optional<Tensor>() : *found;
      };
    }
    return options;
  }
  ExecuteOptions keeping(const Tuning* stored) const {
    ExecuteOptions options = running(stored);
    options.keeps_values = true;
    return options;
  }

  // The outputs of the float model on the samples, kept where they are small.
  Expected<std::vector<std::vector<Tensor>>> targets(std::span<const Sample> samples) const {
    return execute(model_, samples, running(nullptr));
  }

  Expected<void> keep_targets(std::span<const Sample> samples) {
    std::int64_t bytes = 0;
    for (const Sample& sample : samples) {
      SUBBYTE_TRY(auto outputs, targets({&sample, 1}));
      for (const Tensor& output : outputs[0])
        bytes += static_cast<std::int64_t>(output.data.size());
      if (bytes > kMemoryOfTargets) {
        targets_.clear();
        return {};
      }
      targets_.push_back(std::move(outputs[0]));
    }
    return {};
  }

  // Adds what some samples say to the gradients: as many at a time as memory allows.
  Expected<void> add_gradients(const calibrate::Backward& way, std::span<const Sample> samples,
                               std::span<const std::size_t> chosen) {
    for (std::size_t first = 0; first < chosen.size();) {
      std::vector<Sample> batch;
      std::vector<std::vector<Tensor>> exact;
      std::int64_t bytes = 0;
      for (; first < chosen.size(); ++first) {
        const Sample& sample = samples[first];
        bytes += calibrate::kept_bytes(model_, sample);
        if (!batch.empty() && bytes > kMemoryOfValues) break;
        batch.push_back(sample);
        if (!targets_.empty()) exact.push_back(targets_[chosen[first]]);
      }
      if (exact.empty()) {
        SUBBYTE_TRY(exact, targets(batch));
      }
      SUBBYTE_TRY(auto run, Execution::begin(model_, batch, keeping(this)));
      while (run.next() < graph_.nodes.size()) SUBBYTE_CHECK_OK(run.step());
      std::vector<std::vector<std::vector<float>>> lost(batch.size());
      {
        SUBBYTE_TRY(const auto found, run.outputs());
        for (std::size_t s = 0; s < batch.size(); ++s)
          loss_of(contents_, exact[s], found[s], 1 / static_cast<float>(chosen.size()), lost[s],
                  machine_);
      }
      SUBBYTE_CHECK_OK(way.run(run, batch.size(), lost, lost_, machine_));
    }
    return {};
  }

  Expected<std::vector<double>> errors_of(std::span<const Sample> samples) const {
    std::vector<double> errors;
    for (std::size_t s = 0; s < samples.size(); ++s) {
      SUBBYTE_TRY(const auto exact, targets(samples.subspan(s, 1)));
      SUBBYTE_TRY(const auto found, execute(model_, samples.subspan(s, 1), running(this)));
      errors.push_back(fit::sample_error(contents_, exact[0], found[0]));
    }
    return errors;
  }

  Best packed() const {
    Best all;
    for (const auto& [v, matrix] : matrices_)
      all.emplace(v, std::make_shared<const PackedMatrix>(
                         matrix.packed(exact_of(plan_.stored.at(v)).data())));
    for (const auto& [v, vector] : vectors_)
      all.emplace(v, std::make_shared<const PackedMatrix>(vector.packed()));
    return all;
  }

  Expected<void> descend(const calibrate::Backward& way, const SampleSet& samples,
                         std::size_t steps, TuningReport& report) {
    const std::span<const Sample> all = samples.tuning;
    // Text that a language model goes on with is no text once its words are others.
    const bool writes = find_language_model(model_, input_contents(model_)).has_value();
    const Variation variation(model_, writes ? std::span<const Sample>() : all);
    if (!variation.any()) SUBBYTE_CHECK_OK(keep_targets(all));
    SUBBYTE_TRY(const std::vector<double> start, errors_of(samples.held_out));
    report.before = report.after = mean_of(start);
    report.steps = steps;
    double least = 1;
    Random random(3);
    Shuffle shuffle(all.size());
    for (std::size_t step = 1; step <= steps; ++step) {
      const std::vector<std::size_t> chosen = shuffle.next(together_, random);
      std::vector<Sample> now;
      now.reserve(chosen.size());
      for (const std::size_t i : chosen)
        now.push_back(now.size() % 2 == 1 ? variation.of(all[i], kDrawnAnew, random) : all[i]);
      for (auto& [v, lost] : lost_) std::ranges::fill(lost, 0.0f);
      SUBBYTE_CHECK_OK(add_gradients(way, now, chosen));
      go_down(step, steps);
      if (options_.progress) options_.progress(step, steps);
      const bool judges = step * kJudgements / steps != (step - 1) * kJudgements / steps;
      if (!judges) continue;
      SUBBYTE_TRY(const std::vector<double> errors, errors_of(samples.held_out));
      const auto left = fit::what_is_left(start, errors, samples.held_out_kinds);
      if (!left || *left >= least) continue;
      least = *left;
      report.after = mean_of(errors);
      best_ = packed();
    }
    return {};
  }

  void go_down(std::size_t step, std::size_t steps) {
    const Rates rates = rates_at(step, steps);
    // From some step on there is nothing to make up for.
    const Correction correction =
        Correction::of(static_cast<int>(std::min<std::size_t>(step, 4096)));
    for (auto& [v, matrix] : matrices_)
      matrix.step(lost_.at(v).data(), rates, correction, machine_);
    for (auto& [v, vector] : vectors_) vector.step(lost_.at(v).data(), rates, correction);
  }

  const Model& model_;
  const Graph& graph_;
  const WeightPlan& plan_;
  const TuneOptions& options_;
  mutable calibrate::Machine machine_;
  std::vector<OutputContent> contents_;
  std::size_t together_ = 1;  // samples of a step
  std::map<ValueId, TunedMatrix> matrices_;
  std::map<ValueId, TunedVector> vectors_;
  std::map<ValueId, Tensor> fixed_;
  calibrate::ConstantGradients lost_;
  std::vector<std::vector<Tensor>> targets_;
  Best best_;
};

}  // namespace

Expected<TuningReport> tune_weights(const Model& model, WeightPlan& plan, const SampleSet& samples,
                                    const TuneOptions& options) {
  Tuning tuning(model, plan, options);
  SUBBYTE_TRY(TuningReport report, tuning.run(samples));
  tuning.store(plan);
  return report;
}

}  // namespace subbyte
