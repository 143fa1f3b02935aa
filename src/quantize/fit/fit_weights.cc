#include "quantize/fit/fit_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "calibrate/batches.h"
#include "quantize/fit/choose_codes.h"
#include "quantize/fit/decision.h"
#include "quantize/fit/effort.h"
#include "quantize/fit/output_error.h"
#include "quantize/fit/output_shift.h"
#include "quantize/fit/product_inputs.h"
#include "quantize/fit/residual.h"
#include "quantize/kept_matrix.h"
#include "quantize/pack_weight.h"
#include "samples/input_content.h"
#include "samples/output_content.h"
#include "samples/written_text.h"

namespace subbyte {
namespace {

using namespace fit;

double mean_of(std::span<const double> numbers) {
  double sum = 0;
  for (const double number : numbers) sum += number;
  return numbers.empty() ? 0 : sum / static_cast<double>(numbers.size());
}

// Lookups read a table as it is: what is not seen in the product's inputs counts for them.
constexpr double kDampingOfTables = 0.1;
// Tokens of a text are alike, and a few features of it are thousands of times as large as others:
// far fewer directions are seen than tokens.
constexpr double kDampingOfText = 1;

using Matrices = std::map<ValueId, std::shared_ptr<const PackedMatrix>>;

// A way to store the weights, while it is being made: what is chosen on samples.
struct Variant {
  bool chooses_codes = false, corrects_biases = false;
  bool follows_drift = false;  // follow_drift()

  bool runs_beside() const { return corrects_biases || follows_drift; }
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
        checkpoint_(options.checkpoint.keeps() ? options.checkpoint.of(record_of(plan))
                                               : Checkpoint()),
        uses_(find_uses(graph_)),
        writes_(find_language_model(model, input_contents(model)).has_value()) {
    for (const WeightUse& use : plan.uses) use_of_.emplace(use.value, &use);
    if (writes_) {
      damping_ = kDampingOfText;
      variants_.assign(1, {.chooses_codes = true, .follows_drift = true});
    }
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      for (const ValueId v : graph_.nodes[n].inputs)
        if (is_chosen(v, n)) end_ = n + 1;
      if (can_shift(graph_, plan_.stored, n)) end_ = n + 1;
      if (const auto table = table_of(n)) {
        tables_.emplace(n, *table);
        end_ = n + 1;
      }
    }
  }

  // Where tuning ends: nothing is chosen behind it.
  NodeId end() const { return end_; }
  // What a layer gives is compared once it is there, the last ones' too, which no node reads.
  bool keeps_outputs() const { return variants_.size() > 1; }
  // At a time: one way to store the weights, beside the float model.
  static constexpr std::int64_t kFewestStreams = 2;

  // All variants, side by side where the samples fit the memory so, else one after the other with
  // more samples. Which it is makes no difference to what is chosen on the same samples.
  Expected<void> tune(std::span<const Sample> samples, std::span<const std::size_t> kinds,
                      bool side_by_side) {
    kinds_ = kinds;
    checkpoint_ = checkpoint_.of(std::to_string(samples.size()));
    steps_ = side_by_side ? end_ : end_ * variants_.size();
    SUBBYTE_CHECK_OK(choose_tables(samples));
    if (side_by_side) return tune_some(samples, variants_);
    for (std::size_t v = 0; v < variants_.size(); ++v)
      SUBBYTE_CHECK_OK(tune_some(samples, std::span(variants_).subspan(v, 1)));
    return {};
  }

  // The error of the outputs of each way, and which is kept.
  Expected<FitReport> judge(std::span<const Sample> samples, std::span<const std::size_t> kinds) {
    FitReport report;
    const Variant rounding;
    std::vector<const Variant*> all{&rounding};
    for (const Variant& variant : variants_) all.push_back(&variant);
    report.tried_biases = variants_.size() > 1;
    SUBBYTE_TRY(report.by_sample, errors_of(samples, all));
    const auto& errors = report.by_sample;
    report.rounded = mean_of(errors[0]);
    double least = 1;
    for (std::size_t v = 0; v < variants_.size(); ++v) {
      const Variant& variant = variants_[v];
      error_of(variant, report) = mean_of(errors[v + 1]);
      const auto left = what_is_left(errors[0], errors[v + 1], kinds);
      if (!left || *left >= least) continue;
      least = *left;
      kept_ = &variant;
      report.kept_index = v + 1;
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
    ExecuteOptions options{.threads = options_.threads,
                           .wants_outputs = keeps_outputs(),
                           .cancelled = options_.cancelled};
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
  Expected<void> choose(NodeId n, Execution& exact, Execution& run, Variant& variant) {
    for (const ValueId v : graph_.nodes[n].inputs) {
      if (!is_chosen(v, n)) continue;
      const auto inputs = ProductInputs::of(graph_, *use_of_.at(v), n);
      // What runs in turns has no activations to choose by: it is rounded.
      const std::span<const Tensor> activations = run.value(inputs->activations());
      if (activations.empty()) continue;
      // A bias takes back what the mean of the inputs makes of the errors; the rest of it counts,
      // for other inputs have other means.
      const bool corrected = variant.corrects_biases && can_shift(graph_, plan_.stored, n);
      const MetricOptions options{.damping = damping_, .mean_share = corrected ? 0.1 : 1.0};
      Drift drift;
      if (variant.follows_drift) {
        drift.wanted = exact.value(inputs->activations());
        const auto residual = residual_of(graph_, uses_, n);
        if (residual && is_beside(run.value(*residual), *use_of_.at(v), *inputs, activations))
          drift = {drift.wanted, exact.value(*residual), run.value(*residual)};
      }
      // Of the variant, whether or not this node's bias takes part: those before it do.
      const std::string_view way = variant.corrects_biases ? "codes and biases" : "codes";
      SUBBYTE_TRY(auto packed,
                  kept_or(v, way, [&] { return choose(v, *inputs, options, activations, drift); }));
      if (packed != nullptr) variant.chosen[v] = std::move(packed);
    }
    return {};
  }

  // Whether its codes may be chosen: what arrived quantized stays as it is.
  bool is_narrow(ValueId v) const {
    const auto stored = v == kNone ? plan_.stored.end() : plan_.stored.find(v);
    return stored != plan_.stored.end() &&
           std::holds_alternative<AffineEncoding>(stored->second.encoding) &&
           std::holds_alternative<ElementsOfConstant>(stored->second.source);
  }

  // Whether node n alone reads it, as the matrix that it is stored as.
  bool is_chosen(ValueId v, NodeId n) const {
    return is_narrow(v) && uses_.count(v) == 1 && ProductInputs::of(graph_, *use_of_.at(v), n);
  }

  // The table that node n multiplies with, through a Transpose or as it is, where lookups read it
  // too.
  std::optional<ValueId> table_of(NodeId n) const {
    for (const auto& [value, use] : use_of_)
      if (use->kind == WeightUseKind::embedding && is_narrow(value) &&
          ProductInputs::of(graph_, *use, n))
        return value;
    return std::nullopt;
  }

  // The codes of tables that a lookup reads before all else and a product at the end, on the float
  // model's activations there: all layers between are then chosen with what is looked up in place.
  Expected<void> choose_tables(std::span<const Sample> samples) {
    if (tables_.empty()) return {};
    SUBBYTE_TRY(auto exact, Execution::begin(model_, samples, stream(nullptr)));
    for (const auto& [n, table] : tables_) {
      while (exact.next() < n) SUBBYTE_CHECK_OK(exact.step());
      const auto inputs = ProductInputs::of(graph_, *use_of_.at(table), n);
      const std::span<const Tensor> activations = exact.value(inputs->activations());
      if (activations.empty()) continue;
      SUBBYTE_TRY(const auto packed, kept_or(table, "table", [&] {
                    return choose(table, *inputs, {.damping = kDampingOfTables}, activations, {});
                  }));
      for (Variant& variant : variants_)
        if (variant.chooses_codes && packed != nullptr) variant.chosen[table] = packed;
    }
    return {};
  }

  // Some variants, node by node beside the float model.
  Expected<void> tune_some(std::span<const Sample> samples, std::span<Variant> variants) {
    const bool beside = std::ranges::any_of(variants, &Variant::runs_beside);
    SUBBYTE_TRY(auto exact, Execution::begin(model_, samples, stream(nullptr)));
    std::vector<Execution> runs;
    for (const Variant& variant : variants) {
      SUBBYTE_TRY(auto run, Execution::begin(model_, samples, stream(&variant)));
      runs.push_back(std::move(run));
    }
    for (NodeId n = 0; n < end_; ++n) {
      const bool shifts = can_shift(graph_, plan_.stored, n);
      // What the last node gives is read by nothing that is chosen.
      const bool runs_it = n + 1 < end_ || shifts;
      for (std::size_t v = 0; v < variants.size(); ++v)
        if (variants[v].chooses_codes) SUBBYTE_CHECK_OK(choose(n, exact, runs[v], variants[v]));
      if (beside && runs_it) SUBBYTE_CHECK_OK(exact.step());
      for (std::size_t v = 0; v < variants.size(); ++v) {
        if (runs_it) SUBBYTE_CHECK_OK(runs[v].step());
        if (variants[v].corrects_biases && shifts) measure_shift(n, exact, runs[v], variants[v]);
      }
      if (options_.progress) options_.progress(++done_, steps_);
    }
    return {};
  }

  // What was chosen for a weight in that way before the work was interrupted, or is now.
  Expected<std::shared_ptr<const PackedMatrix>> kept_or(
      ValueId weight, std::string_view way,
      const std::function<Expected<std::shared_ptr<const PackedMatrix>>()>& choose_now) {
    const StoredWeight& stored = plan_.stored.at(weight);
    const Checkpoint here = checkpoint_.of(way);
    const std::string name = std::to_string(weight);
    if (const auto kept = here.find(name)) {
      RecordReader record(*kept);
      auto matrix = read_matrix(record, stored);
      if (matrix && record.is_whole())
        return std::make_shared<const PackedMatrix>(std::move(*matrix));
    }
    SUBBYTE_TRY(auto chosen, choose_now());
    if (chosen != nullptr && here.keeps()) {
      RecordWriter record;
      write_matrix(record, *chosen);
      SUBBYTE_CHECK_OK(here.keep(name, record.bytes()));
    }
    return chosen;
  }

  // nullptr where the activations say nothing.
  Expected<std::shared_ptr<const PackedMatrix>> choose(ValueId weight, const ProductInputs& inputs,
                                                       const MetricOptions& metric_options,
                                                       std::span<const Tensor> activations,
                                                       const Drift& drift) {
    const WeightUse& use = *use_of_.at(weight);
    SUBBYTE_TRY(const auto start, rounded(plan_.stored.at(weight)));
    std::vector<float> exact(static_cast<std::size_t>(use.rows * use.k));
    row_reader(*graph_.values[use.value].constant, use.order)(0, use.rows, exact.data());
    std::vector<float> aim = exact;
    GridMatrix grid(*start);
    const std::int64_t rows = use.rows / inputs.groups();
    for (std::int64_t g = 0; g < inputs.groups(); ++g) {
      const Moments moments = measure_moments(inputs, use.k, g, activations, drift, kinds_,
                                              places(use.k), use.value, machine_);
      MetricOptions damped = metric_options;
      if (reads_text()) damped.damping *= damping_left(moments.count);
      const auto metric = make_metric(moments, damped, machine_);
      if (!metric) return nullptr;
      if (!drift.wanted.empty()) {
        const auto moved = follow_drift(*metric, moments, exact.data() + g * rows * use.k, rows,
                                        kDriftFollowed, machine_);
        std::ranges::copy(moved, aim.begin() + g * rows * use.k);
      }
      choose_codes(*metric, aim.data(), g * rows, rows, sweeps(), grid, machine_);
    }
    return std::make_shared<const PackedMatrix>(grid.packed(exact.data()));
  }

  // What a language model writes itself is less like what it will read, however much there is.
  bool reads_text() const { return writes_ && options_.on_data; }

  std::int64_t places(std::int64_t k) const {
    const std::int64_t factor = options_.effort == Effort::fast ? 2 : reads_text() ? 32 : 8;
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

  // Of each variant the error of each sample. The outputs of a few samples are there at a time: of
  // a language model they are large.
  Expected<std::vector<std::vector<double>>> errors_of(std::span<const Sample> samples,
                                                       std::span<const Variant* const> variants) {
    const std::vector<OutputContent> contents = output_contents(model_);
    std::vector<std::vector<double>> errors(variants.size());
    std::size_t first = 0;
    for (const std::size_t end : calibrate::batch_ends(model_, samples, kMemoryOfStream / 2)) {
      const std::span<const Sample> batch = samples.subspan(first, end - first);
      SUBBYTE_TRY(const auto exact, outputs(batch, nullptr));
      for (std::size_t v = 0; v < variants.size(); ++v) {
        SUBBYTE_TRY(const auto found, outputs(batch, variants[v]));
        for (std::size_t s = 0; s < batch.size(); ++s)
          errors[v].push_back(sample_error(contents, exact[s], found[s]));
      }
      first = end;
    }
    return errors;
  }

  // Of each sample of a batch, with the weights and shifts of a variant, or the float model's.
  Expected<std::vector<std::vector<Tensor>>> outputs(std::span<const Sample> batch,
                                                     const Variant* variant) {
    ExecuteOptions running = stream(variant);
    running.wants_outputs = true;
    SUBBYTE_TRY(auto run, Execution::begin(model_, batch, std::move(running)));
    for (NodeId n = 0; n < graph_.nodes.size(); ++n) {
      SUBBYTE_CHECK_OK(run.step());
      if (variant == nullptr) continue;
      const auto shift = variant->shifts.find(n);
      if (shift == variant->shifts.end()) continue;
      const std::span<Tensor> values = run.value(graph_.nodes[n].outputs[0]);
      if (!values.empty())
        add_shift(values, *channel_axis(graph_.nodes[n], values[0].dims.size()), shift->second);
    }
    return run.outputs();
  }

  const Model& model_;
  const Graph& graph_;
  const WeightPlan& plan_;
  const FitOptions& options_;
  calibrate::Machine machine_;
  Checkpoint checkpoint_;
  Uses uses_;
  bool writes_;  // a language model
  double damping_ = MetricOptions().damping;
  NodeId end_ = 0;
  std::map<NodeId, ValueId> tables_;  // by the product that reads them
  std::size_t done_ = 0, steps_ = 0;  // nodes of all variants that are tuned
  std::map<ValueId, const WeightUse*> use_of_;
  std::span<const std::size_t> kinds_;  // of the samples that are tuned on
  Matrices rounded_;
  // Of a language model codes alone: it has no biases, and those that text gives serve that text.
  std::vector<Variant> variants_ = {{false, true}, {true, false}, {true, true}};
  const Variant* kept_ = nullptr;
};

}  // namespace

Expected<FitReport> fit_weights(Model& model, WeightPlan& plan, const SampleSet& samples,
                                const FitOptions& options) {
  Variant kept;
  FitReport report;
  if (samples.work_each * (kStreams + kRuns) > work_of(options.effort, plan, options.on_data)) {
    report.skipped = "one run of it takes more work than the effort allows";
    return report;
  }
  {
    Fitting fitting(model, plan, options);
    const std::span<const Sample> all = samples.tuning;
    const std::int64_t memory = options.memory.value_or(memory_beside(plan));
    const auto affordable_in = [&](std::int64_t bytes) {
      return calibrate::samples_within(model, all, fitting.end(), fitting.keeps_outputs(), bytes);
    };
    std::size_t tuning = affordable_in(memory / kSideBySide);
    const bool side_by_side = tuning == all.size();
    if (!side_by_side) tuning = affordable_in(memory / Fitting::kFewestStreams);
    if (tuning == 0 || samples.held_out.empty()) {
      report.skipped = "its activations take more memory than calibration may";
      return report;
    }
    const std::span<const std::size_t> kinds = samples.tuning_kinds;
    SUBBYTE_CHECK_OK(
        fitting.tune(all.first(tuning), kinds.first(std::min(tuning, kinds.size())), side_by_side));
    SUBBYTE_TRY(report, fitting.judge(samples.held_out, samples.held_out_kinds));
    kept = fitting.kept();
  }
  for (auto& [value, matrix] : kept.chosen)
    plan.stored.at(value).source = ChosenNumbers{std::move(matrix)};
  store_shifts(model, plan, kept.shifts);
  return report;
}

}  // namespace subbyte
