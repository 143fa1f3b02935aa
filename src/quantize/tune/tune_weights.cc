#include "quantize/tune/tune_weights.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/scalar_math.h"
#include "calibrate/batches.h"
#include "calibrate/constants.h"
#include "calibrate/gradient/segments.h"
#include "calibrate/random.h"
#include "quantize/fit/decision.h"
#include "quantize/fit/output_error.h"
#include "quantize/pack_weight.h"
#include "quantize/tune/loss.h"
#include "quantize/tune/targets.h"
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

// Multiplications: about a minute of one core for each 20 million parameters, of data a minute at
// least; and ten. Of a text that is given twice as many: what a language model gains grows
// with the tokens that its steps have seen.
double work_of(const TuneOptions& options, const WeightPlan& plan, bool is_language_model) {
  const double each = options.on_data && is_language_model ? 8e4 : 4e4;
  const double good =
      std::max(options.on_data ? 1e12 : 0.0, each * static_cast<double>(parameters_of(plan)));
  return options.effort == Effort::best ? 10 * good : options.effort == Effort::good ? good : 0;
}

constexpr std::int64_t kMemoryOfTuned = std::int64_t{3} << 28,
                       kMemoryOfValues = std::int64_t{3} << 28;
// The float model's outputs are kept where they take no more.
constexpr std::int64_t kMemoryOfTargets = std::int64_t{1} << 28;
// A run with its way back, and of varied samples the float model's, in runs.
constexpr double kRunsOfStep = 3.5;
// Codes of so many bits and fewer are tuned: at more, rounding is no longer what is lost most.
constexpr int kBitsOfTunedCodes = 3;
// Samples of a step. Fewer make more steps of the same work, and lose more; large ones are fewer,
// so that there are enough steps.
constexpr std::size_t kTogether = 8;
constexpr std::size_t kFewestSteps = 8, kEnoughSteps = 64;
constexpr int kJudgements = 10;
// At first; docs/quantization.md says what others do.
constexpr Rates kRates{.scale = 3e-4f, .zero = 2e-3f, .position = 1e-3f, .number = 2e-4f};
// Where codes stay, and steps are few.
constexpr Rates kRatesOfFewSteps{.scale = 1.5e-3f, .zero = 4e-3f, .position = 0, .number = 7e-4f};
// Of every other sample so many of its tokens are drawn anew.
constexpr float kDrawnAnew = 0.5f;

double mean_of(std::span<const double> errors) {
  double sum = 0;
  for (const double error : errors) sum += error;
  return sum / static_cast<double>(errors.size());
}

// Up to the whole rates in the first tenth, for the first steps go the same way everywhere; then
// down to none, as a cosine goes (Loshchilov and Hutter: SGDR, 2017).
Rates rates_at(std::size_t step, std::size_t steps, const Rates& rates, float share) {
  constexpr double kPi = 3.14159265358979323846;
  const double along = static_cast<double>(step) / static_cast<double>(steps);
  const auto part =
      share * static_cast<float>(0.5 * (1 + cos_of(kPi * along)) * std::min(1.0, 10 * along));
  return {rates.scale * part, rates.zero * part, rates.position * part, rates.number * part};
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
        contents_(output_contents(model)),
        counts_(outputs_that_count(graph_, contents_)),
        writes_(find_language_model(model, input_contents(model)).has_value()) {}

  Expected<TuningReport> run(const SampleSet& samples) {
    TuningReport report;
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
    const double each = work_of(options_, plan_, writes_) / std::max(runs * samples.work_each, 1.0);
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

  // What is tuned, as it is stored, and what else is stored narrower.
  Expected<void> begin(const calibrate::Backward& way, std::span<const Sample> samples) {
    SUBBYTE_CHECK_OK(find_units(samples));
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
        const bool many = value_bits(stored.encoding) > kBitsOfTunedCodes;
        const auto form =
            form_ == TunedMatrix::Form::codes && many ? TunedMatrix::Form::numbers : form_;
        std::vector<float> exact;
        if (form == TunedMatrix::Form::codes) exact = exact_of(stored);
        matrices_.emplace(
            v, TunedMatrix(matrix, source_layout(stored.order, dims), dims, form, exact.data()));
      } else {
        vectors_.emplace(
            v, TunedVector(stored, unpacked_tensor(matrix, stored.order, dims), units_.at(v)));
      }
    }
    return {};
  }

  std::vector<float> exact_of(const StoredWeight& stored) const {
    std::vector<float> exact(static_cast<std::size_t>(stored.rows * stored.k));
    row_reader(*graph_.constant(stored.value), stored.order)(0, stored.rows, exact.data());
    return exact;
  }

  std::optional<Tensor> tuned(ValueId v) const {
    if (const auto matrix = matrices_.find(v); matrix != matrices_.end())
      return matrix->second.values(machine_);
    if (const auto vector = vectors_.find(v); vector != vectors_.end())
      return vector->second.values();
    const auto fixed = fixed_.find(v);
    return fixed == fixed_.end() ? std::optional<Tensor>() : fixed->second;
  }

  // The model as it is stored now, or the float model.
  ExecuteOptions running(const Tuning* stored) const {
    ExecuteOptions options{.threads = options_.threads, .cancelled = options_.cancelled};
    if (stored != nullptr) {
      options.replace = [stored](ValueId v) -> Expected<std::optional<Tensor>> {
        return stored->tuned(v);
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
          run.back(way, std::move(lost), lost_, machine_, [&](ValueId v) { take(v); }));
    }
    return {};
  }

  // A gradient that is whole goes where it is stepped by, and its memory to the next.
  void take(ValueId v) {
    const auto lost = lost_.find(v);
    if (const auto matrix = matrices_.find(v); matrix != matrices_.end())
      matrix->second.add(lost->second.data(), machine_);
    else
      vectors_.at(v).add(lost->second.data());
    lost_.erase(lost);
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
    const Variation variation(model_, writes_ ? std::span<const Sample>() : all);
    std::optional<Targets> targets;
    if (!variation.any()) targets.emplace(targets_of(all));
    Targets held_out = targets_of(samples.held_out);
    SUBBYTE_TRY(const std::vector<double> start, errors_of(samples.held_out, held_out));
    report.before = report.after = mean_of(start);
    report.steps = steps;
    double least = 1;
    keep_moved();
    Random random(3);
    Shuffle shuffle(all.size());
    for (std::size_t step = 1; step <= steps; ++step) {
      const std::vector<std::size_t> chosen = shuffle.next(together_, random);
      std::vector<Sample> now;
      now.reserve(chosen.size());
      for (const std::size_t i : chosen)
        now.push_back(now.size() % 2 == 1 ? variation.of(all[i], kDrawnAnew, random) : all[i]);
      SUBBYTE_CHECK_OK(add_gradients(way, now, chosen, targets));
      go_down(step, steps);
      if (options_.progress) options_.progress(step, steps);
      const bool judges = step * kJudgements / steps != (step - 1) * kJudgements / steps;
      if (!judges) continue;
      SUBBYTE_TRY(const std::vector<double> errors, errors_of(samples.held_out, held_out));
      const auto left = fit::what_is_left(start, errors, samples.held_out_kinds);
      if (!left || *left >= least) {
        go_back();
        continue;
      }
      least = *left;
      report.after = mean_of(errors);
      best_ = packed();
      keep_moved();
    }
    return {};
  }

  // Where steps are few, none is to be wasted: those that lost go back to where least was lost, and
  // the next are half as long.
  void go_back() {
    if (!goes_back()) return;
    share_of_rates_ /= 2;
    for (auto& [v, matrix] : matrices_) matrix.go_back(moved_matrices_.at(v));
    for (auto& [v, vector] : vectors_) vector.go_back(moved_vectors_.at(v));
  }

  void keep_moved() {
    if (!goes_back()) return;
    for (const auto& [v, matrix] : matrices_) moved_matrices_[v] = matrix.moved();
    for (const auto& [v, vector] : vectors_) moved_vectors_[v] = vector.moved();
  }

  bool goes_back() const { return form_ == TunedMatrix::Form::packed; }

  void go_down(std::size_t step, std::size_t steps) {
    const Rates rates =
        rates_at(step, steps, goes_back() ? kRatesOfFewSteps : kRates, share_of_rates_);
    // From some step on there is nothing to make up for.
    const Correction correction =
        Correction::of(static_cast<int>(std::min<std::size_t>(step, 4096)));
    for (auto& [v, matrix] : matrices_) matrix.step(rates, correction, machine_);
    for (auto& [v, vector] : vectors_) vector.step(rates, correction);
  }

  const Model& model_;
  const Graph& graph_;
  const WeightPlan& plan_;
  const TuneOptions& options_;
  mutable calibrate::Machine machine_;
  std::vector<OutputContent> contents_;
  std::vector<bool> counts_;  // of the outputs
  bool writes_;               // a language model
  calibrate::Segments segments_{0};
  TunedMatrix::Form form_ = TunedMatrix::Form::codes;
  std::size_t together_ = 1;  // samples of a step
  std::map<ValueId, float> units_;
  std::map<ValueId, TunedMatrix> matrices_;
  std::map<ValueId, TunedVector> vectors_;
  std::map<ValueId, Tensor> fixed_;
  calibrate::ConstantGradients lost_;
  // Where least was lost, and how much of the rates steps go by since then.
  std::map<ValueId, TunedMatrix::Moved> moved_matrices_;
  std::map<ValueId, std::vector<float>> moved_vectors_;
  float share_of_rates_ = 1;
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
