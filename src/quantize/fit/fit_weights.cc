#include "quantize/fit/fit_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "calibrate/batches.h"
#include "quantize/fit/choose_codes.h"
#include "quantize/fit/decision.h"
#include "quantize/fit/output_error.h"
#include "quantize/fit/output_shift.h"
#include "quantize/fit/product_inputs.h"
#include "quantize/pack_weight.h"

namespace subbyte {
namespace {

using namespace fit;

std::int64_t parameters_of(const WeightPlan& plan) {
  std::int64_t parameters = 0;
  for (const WeightUse& use : plan.uses) parameters += use.parameters();
  return parameters;
}

// Multiplications: so many, or of large models more by their parameters. A few seconds of one core,
// about a minute for each 20 million parameters, and ten.
double work_of(Effort effort, const WeightPlan& plan) {
  const auto parameters = static_cast<double>(parameters_of(plan));
  constexpr double kEach = 1.5e4;
  switch (effort) {
    case Effort::fast:
      return 2e10;
    case Effort::good:
      return std::max(3e11, kEach * parameters);
    case Effort::best:
      return std::max(3e12, 10 * kEach * parameters);
  }
  return 0;
}

// What the activations of the samples of one stream may take, at most and at least.
constexpr std::int64_t kMemoryOfStream = std::int64_t{3} << 27,
                       kLeastOfStream = std::int64_t{1} << 26;
// What all streams may take together, with the codes of every variant and the weights as floats, so
// many bytes a parameter.
constexpr std::int64_t kMemory = std::int64_t{9} << 28, kEachParameter = 10;

// Four streams over the tuning samples, five runs over the others.
constexpr double kStreams = 4, kRuns = 5;

// The most samples that an effort is worth: fewer see too little of what made inputs differ in,
// more buy little. Made pictures repeat their kinds and ranges after twelve.
struct SampleCounts {
  std::size_t tuning = 0, held_out = 0;
};
SampleCounts most_samples(Effort effort) {
  switch (effort) {
    case Effort::fast:
      return {12, 12};
    case Effort::good:
      return {96, 48};
    case Effort::best:
      return {192, 96};
  }
  return {};
}

// Choosing the codes of all products.
double choosing_work(const WeightPlan& plan) {
  double work = 0;
  for (const WeightUse& use : plan.uses) {
    if (!is_matrix(use.kind) || use.kind == WeightUseKind::embedding) continue;
    const auto rows = static_cast<double>(use.rows), k = static_cast<double>(use.k);
    work += k * k * (k + rows);
  }
  return work;
}

// How many of the samples, from the first, fit the memory together.
std::size_t affordable(const Model& model, const WeightPlan& plan,
                       std::span<const Sample> samples) {
  const std::int64_t rest = (kMemory - kEachParameter * parameters_of(plan)) / 4;
  const std::int64_t memory = std::clamp(rest, kLeastOfStream, kMemoryOfStream);
  std::size_t count = 0;
  for (std::int64_t bytes = 0; count < samples.size(); ++count) {
    bytes += calibrate::activation_bytes(model, samples[count]);
    if (bytes > memory) break;
  }
  return count;
}

using Matrices = std::map<ValueId, std::shared_ptr<const PackedMatrix>>;

// A way to store the weights, while it is being made: what is chosen on samples.
struct Variant {
  bool chooses_codes = false, corrects_biases = false;
  Matrices chosen{};
  Shifts shifts{};
};

class Fitting {
 public:
  Fitting(const Model& model, const WeightPlan& plan, const FitOptions& options)
      : model_(model),
        graph_(model.main()),
        plan_(plan),
        options_(options),
        machine_(options.threads),
        uses_(find_uses(graph_)) {
    for (const WeightUse& use : plan.uses) use_of_.emplace(use.value, &use);
  }

  // All variants, node by node beside the float model.
  Expected<void> tune(std::span<const Sample> samples, std::span<const std::size_t> kinds) {
    kinds_ = kinds;
    SUBBYTE_TRY(auto exact, Execution::begin(model_, samples, stream(nullptr)));
    std::vector<Execution> runs;
    for (const Variant& variant : variants_) {
      SUBBYTE_TRY(auto run, Execution::begin(model_, samples, stream(&variant)));
      runs.push_back(std::move(run));
    }
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      SUBBYTE_CHECK_OK(exact.step());
      for (std::size_t v = 0; v < variants_.size(); ++v) {
        if (variants_[v].chooses_codes) SUBBYTE_CHECK_OK(choose(n, runs[v], variants_[v]));
        SUBBYTE_CHECK_OK(runs[v].step());
        if (variants_[v].corrects_biases && can_shift(graph_, plan_.stored, n))
          measure_shift(n, exact, runs[v], variants_[v]);
      }
      if (options_.progress) options_.progress(n + 1, graph_.nodes.size());
    }
    return {};
  }

  // The error of the outputs of each way, and which is kept.
  Expected<FitReport> judge(std::span<const Sample> samples, std::span<const std::size_t> kinds) {
    SUBBYTE_TRY(const auto exact, outputs(samples, nullptr));
    FitReport report;
    const Variant rounding;
    SUBBYTE_TRY(const auto rounded, outputs(samples, &rounding));
    report.rounded = output_error(exact, rounded);
    const std::vector<double> before = errors_by_kind(exact, rounded, kinds);
    double least = 1;
    for (const Variant& variant : variants_) {
      SUBBYTE_TRY(const auto found, outputs(samples, &variant));
      error_of(variant, report) = output_error(exact, found);
      const auto left = what_is_left(before, errors_by_kind(exact, found, kinds));
      if (!left || *left >= least) continue;
      least = *left;
      kept_ = &variant;
      report.kept = !variant.chooses_codes    ? FitReport::Kept::biases
                    : variant.corrects_biases ? FitReport::Kept::codes_and_biases
                                              : FitReport::Kept::codes;
    }
    return report;
  }

  // After judge(); nothing where rounding is kept.
  Variant kept() { return kept_ == nullptr ? Variant() : *kept_; }

 private:
  // The float model, or a variant as far as it is made.
  ExecuteOptions stream(const Variant* variant) {
    ExecuteOptions options{.threads = options_.threads, .cancelled = options_.cancelled};
    if (variant == nullptr) return options;
    options.replace = [this, variant](ValueId v) -> Expected<std::optional<Tensor>> {
      const auto stored = plan_.stored.find(v);
      if (stored == plan_.stored.end()) return std::nullopt;
      const auto chosen = variant->chosen.find(v);
      if (chosen != variant->chosen.end()) return decoded(*chosen->second, stored->second);
      if (value_bits(stored->second.encoding) == 32) return std::nullopt;
      SUBBYTE_TRY(const auto matrix, rounded(stored->second));
      return decoded(*matrix, stored->second);
    };
    return options;
  }

  Tensor decoded(const PackedMatrix& matrix, const StoredWeight& stored) const {
    return unpacked_tensor(matrix, stored.order, graph_.values[stored.value].constant->dims);
  }

  Expected<std::shared_ptr<const PackedMatrix>> rounded(const StoredWeight& stored) {
    auto& matrix = rounded_[stored.value];
    if (matrix == nullptr) {
      SUBBYTE_TRY(PackedMatrix packed, pack_weight(model_, stored));
      matrix = std::make_shared<const PackedMatrix>(std::move(packed));
    }
    return matrix;
  }

  // The codes of the weights that node n alone reads, on the activations that reach it with the
  // layers before it quantized.
  Expected<void> choose(NodeId n, Execution& run, Variant& variant) {
    for (const ValueId v : graph_.nodes[n].inputs) {
      const auto stored = v == kNone ? plan_.stored.end() : plan_.stored.find(v);
      if (stored == plan_.stored.end() || uses_.count(v) != 1) continue;
      if (!std::holds_alternative<AffineEncoding>(stored->second.encoding)) continue;
      // What arrived quantized stays as it is.
      if (!std::holds_alternative<ElementsOfConstant>(stored->second.source)) continue;
      const WeightUse& use = *use_of_.at(v);
      const auto inputs = ProductInputs::of(graph_, use, n);
      if (!inputs) continue;
      // What runs in turns has no activations to choose by: it is rounded.
      const std::span<const Tensor> activations = run.value(inputs->activations());
      if (activations.empty()) continue;
      SUBBYTE_TRY(const auto matrix, rounded(stored->second));
      // A bias takes back what the mean of the inputs makes of the errors; the rest of it counts,
      // for other inputs have other means.
      const bool corrected = variant.corrects_biases && can_shift(graph_, plan_.stored, n);
      const MetricOptions options{.mean_share = corrected ? 0.1 : 1.0};
      if (auto packed = choose(use, *inputs, options, *matrix, activations))
        variant.chosen[v] = std::make_shared<const PackedMatrix>(std::move(*packed));
    }
    return {};
  }

  std::optional<PackedMatrix> choose(const WeightUse& use, const ProductInputs& inputs,
                                     const MetricOptions& metric_options,
                                     const PackedMatrix& rounded,
                                     std::span<const Tensor> activations) {
    std::vector<float> exact(static_cast<std::size_t>(use.rows * use.k));
    row_reader(*graph_.values[use.value].constant, use.order)(0, use.rows, exact.data());
    GridMatrix grid(rounded);
    const std::int64_t rows = use.rows / inputs.groups();
    for (std::int64_t g = 0; g < inputs.groups(); ++g) {
      const Moments moments = measure_moments(inputs, use.k, g, activations, kinds_, places(use.k),
                                              use.value, machine_);
      const auto metric = make_metric(moments, metric_options, machine_);
      if (!metric) return std::nullopt;
      choose_codes(*metric, exact.data(), g * rows, rows, sweeps(), grid, machine_);
    }
    return grid.packed(exact.data());
  }

  std::int64_t places(std::int64_t k) const {
    const std::int64_t factor = options_.effort == Effort::fast ? 2 : 8;
    return std::clamp<std::int64_t>(factor * k, 2048, 32768);
  }
  static double& error_of(const Variant& variant, FitReport& report) {
    if (!variant.chooses_codes) return report.biases;
    return variant.corrects_biases ? report.codes_and_biases : report.codes;
  }

  int sweeps() const { return options_.effort == Effort::fast ? 1 : 3; }

  void measure_shift(NodeId n, Execution& exact, Execution& found, Variant& variant) {
    const ValueId result = graph_.nodes[n].outputs[0];
    const std::span<Tensor> wanted = exact.value(result);
    if (wanted.empty()) return;
    const auto axis = channel_axis(graph_.nodes[n], wanted[0].dims.size());
    if (!axis) return;
    Shift shift = mean_shift(wanted, found.value(result), kinds_, *axis);
    if (shift.size() < 2) return;
    add_shift(found.value(result), *axis, shift);
    variant.shifts.emplace(n, std::move(shift));
  }

  // Of each sample, with the weights and shifts of a variant, or the float model's.
  Expected<std::vector<std::vector<Tensor>>> outputs(std::span<const Sample> samples,
                                                     const Variant* variant) {
    std::vector<std::vector<Tensor>> outputs;
    std::size_t first = 0;
    for (const std::size_t end : calibrate::batch_ends(model_, samples, kMemoryOfStream)) {
      SUBBYTE_TRY(auto run,
                  Execution::begin(model_, samples.subspan(first, end - first), stream(variant)));
      for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
        SUBBYTE_CHECK_OK(run.step());
        if (variant == nullptr) continue;
        const auto shift = variant->shifts.find(n);
        if (shift == variant->shifts.end()) continue;
        const std::span<Tensor> values = run.value(graph_.nodes[n].outputs[0]);
        if (!values.empty())
          add_shift(values, *channel_axis(graph_.nodes[n], values[0].dims.size()), shift->second);
      }
      SUBBYTE_TRY(auto results, run.outputs());
      for (auto& result : results) outputs.push_back(std::move(result));
      first = end;
    }
    return outputs;
  }

  const Model& model_;
  const Graph& graph_;
  const WeightPlan& plan_;
  const FitOptions& options_;
  calibrate::Machine machine_;
  Uses uses_;
  std::map<ValueId, const WeightUse*> use_of_;
  std::span<const std::size_t> kinds_;  // of the samples that are tuned on
  Matrices rounded_;
  std::array<Variant, 3> variants_ = {{{false, true}, {true, false}, {true, true}}};
  const Variant* kept_ = nullptr;
};

}  // namespace

std::optional<Effort> effort_from_name(std::string_view name) {
  if (name == "fast") return Effort::fast;
  if (name == "good") return Effort::good;
  if (name == "best") return Effort::best;
  return std::nullopt;
}

std::optional<SampleOptions> samples_for(const WeightPlan& plan, Effort effort) {
  const double rest = work_of(effort, plan) - choosing_work(plan);
  if (rest <= 0) return std::nullopt;
  SampleOptions options;
  options.seed = 2;  // the check has the first
  const auto [tuning, held_out] = most_samples(effort);
  options.tuning = tuning;
  options.held_out = held_out;
  options.more_of_kinds = effort == Effort::fast ? 2 : 4;
  // Of one run over all samples.
  options.work = rest * static_cast<double>(tuning + held_out) /
                 (kStreams * static_cast<double>(tuning) + kRuns * static_cast<double>(held_out));
  return options;
}

Expected<FitReport> fit_weights(Model& model, WeightPlan& plan, const SampleSet& samples,
                                const FitOptions& options) {
  Variant kept;
  FitReport report;
  const std::size_t tuning = affordable(model, plan, samples.tuning);
  if (tuning == 0 || samples.held_out.empty()) {
    report.skipped = "its activations take more memory than calibration may";
    return report;
  }
  if (samples.work_each * (kStreams + kRuns) > work_of(options.effort, plan)) {
    report.skipped = "one run of it takes more work than the effort allows";
    return report;
  }
  {
    Fitting fitting(model, plan, options);
    const std::span<const std::size_t> kinds = samples.tuning_kinds;
    SUBBYTE_CHECK_OK(fitting.tune(std::span(samples.tuning).first(tuning),
                                  kinds.first(std::min(tuning, kinds.size()))));
    SUBBYTE_TRY(report, fitting.judge(samples.held_out, samples.held_out_kinds));
    kept = fitting.kept();
  }
  for (auto& [value, matrix] : kept.chosen)
    plan.stored.at(value).source = ChosenNumbers{std::move(matrix)};
  store_shifts(model, plan, kept.shifts);
  return report;
}

}  // namespace subbyte
