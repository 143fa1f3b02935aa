#include "compile/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <unordered_map>

#include "base/scalar_math.h"
#include "base/sha256.h"
#include "base/text.h"
#include "compile/compare_outputs.h"
#include "compile/layer_errors.h"
#include "compile/made_biases.h"
#include "compile/module_weights.h"
#include "compile/whole.h"
#include "data/load_samples.h"
#include "graph/source_form.h"
#include "passes/passes.h"
#include "samples/made_samples.h"

namespace subbyte {

namespace {

constexpr std::size_t kMadeSamples = 8;
// Multiply-adds that made samples may take in all, of each of the two runs.
constexpr double kMadeWork = 2e12;

class Evaluating {
 public:
  Evaluating(FileSystem& files, std::string module, const Source& source,
             const EvaluateOptions& options, Observer& observer)
      : files_(files),
        module_(std::move(module)),
        source_(source),
        options_(options),
        observer_(observer) {}

  Expected<Evaluation> run() {
    for (const std::string& metric : options_.metrics)
      SUBBYTE_CHECK_OK(check_metric(metric.substr(0, metric.find(':'))));
    SUBBYTE_CHECK_OK(read_module());
    SUBBYTE_CHECK_OK(prepare());
    SUBBYTE_CHECK_OK(find_tasks());
    SUBBYTE_CHECK_OK(find_samples());
    SUBBYTE_CHECK_OK(run_samples());
    SUBBYTE_CHECK_OK(tell_outputs());
    SUBBYTE_CHECK_OK(tell_tasks());
    for (const ModuleWeight& weight : weights_.all()) {
      result_.weights.push_back(
          {weight.name, weight.component, weight.reason, weight.layer, weight.bits, weight.bytes});
    }
    if (options_.histograms > 0)
      result_.histograms = worst_weights(graph(), weights_, stored_, options_.histograms);
    return std::move(result_);
  }

 private:
  const Graph& graph() const { return model_.main(); }

  Expected<void> read_module() {
    observer_.stage("reading");
    SUBBYTE_TRY(const std::string format, check_whole(files_, module_));
    if (format != "webgpu") {
      return fail(
          "{}: this is {}, and evaluate takes a module that convert wrote; name its "
          ".webgpu.js",
          quoted(module_), format == "onnx" ? "an ONNX model" : format);
    }
    SUBBYTE_TRY(weights_, ModuleWeights::read(files_, module_));
    const std::string found = sha256(source_.bytes);
    if (found != weights_.source_sha256()) {
      return fail(
          "{} was made from {} with the SHA-256 {}..., and {} has {}...: name the model "
          "that it was converted from, or convert this one",
          quoted(module_), quoted(weights_.source_name()), weights_.source_sha256().substr(0, 12),
          quoted(source_.path), found.substr(0, 12));
    }
    result_.module = weights_.module_path();
    result_.source = source_.path;
    result_.precision = weights_.precision();
    result_.bytes = weights_.bytes();
    result_.bits_per_weight = weights_.bits_per_weight();
    result_.source_bytes = static_cast<std::int64_t>(source_.bytes.size());
    return {};
  }

  // The source as it was quantized, and where each weight of the module belongs in it.
  Expected<void> prepare() {
    SUBBYTE_TRY(model_, read_model(source_, observer_));
    observer_.stage("passes");
    SUBBYTE_CHECK_OK(fix_inputs(model_, options_.fixed));
    SUBBYTE_CHECK_OK(resolve_control_flow(model_));
    SUBBYTE_CHECK_OK(check_supported(model_));
    model_.rounds_activations = options_.rounds_activations;
    auto done = run_passes(model_, standard_passes());
    if (!done) return within(quoted(source_.path), std::move(done.error()));
    const auto sources = source_forms(graph());
    std::unordered_map<std::string, ValueId> named;
    for (ValueId v = 0; v < graph().values.size(); ++v) {
      if (!graph().values[v].constant) continue;
      named.emplace(valid_utf8(sources[v] != nullptr ? sources[v]->name : graph().values[v].name),
                    v);
    }
    for (const ModuleWeight& weight : weights_.all()) {
      const auto known = named.find(weight.name);
      const ValueId value = known != named.end() ? known->second : make_bias(model_, weight.name);
      if (value == kNone) {
        return fail(
            "{} has a weight {}, which {} has not after the passes of this subbyte: the module was "
            "written by subbyte {}; convert the model again",
            quoted(module_), quoted(weight.name), quoted(source_.path), weights_.version());
      }
      const Tensor& constant = *graph().values[value].constant;
      // A bias that was made is a value that there was not.
      const SourceForm* const source = value < sources.size() ? sources[value] : nullptr;
      if ((source != nullptr ? source->dims : constant.dims) != weight.shape) {
        return fail("{} has weight {} as [{}], and {} as [{}]; convert the model again",
                    quoted(module_), quoted(weight.name), fmt::join(weight.shape, ", "),
                    quoted(source_.path),
                    fmt::join(source != nullptr ? source->dims : constant.dims, ", "));
      }
      if (!is_float(constant.dtype)) continue;
      const ModuleWeight* found = &weight;
      if (source != nullptr)
        found = &in_other_forms_.emplace_back(in_form_of(weight, constant, *source));
      stored_.emplace(value, found);
    }
    return {};
  }

  // The same matrix as the constant that the passes made of the source's tensor.
  static ModuleWeight in_form_of(ModuleWeight weight, const Tensor& constant,
                                 const SourceForm& source) {
    weight.row_axes = constant_axes(source, weight.row_axes, true);
    weight.k_axes = constant_axes(source, weight.k_axes, false);
    weight.shape = constant.dims;
    return weight;
  }

  Expected<void> find_samples() {
    observer_.stage("samples");
    if (!options_.data.empty()) {
      SUBBYTE_TRY(JudgingData given, load_judging_data(files_, options_.data, model_));
      samples_ = std::move(given.samples);
      labels_ = std::move(given.labels);
      result_.samples_are = "of " + quoted(options_.data);
    } else {
      SampleOptions wanted;
      wanted.tuning = 1;
      wanted.held_out = kMadeSamples;
      wanted.work = kMadeWork;
      wanted.cancelled = [this] { return observer_.cancelled(); };
      auto made = make_samples(model_, wanted);
      if (!made) return within(quoted(source_.path), std::move(made.error()));
      samples_ = std::move(made->held_out);
      result_.samples_are = made->made_of.empty() ? "made up" : "made up: " + made->made_of;
    }
    result_.samples = samples_.size();
    return {};
  }

  // A sample at a time: what a layer computes is kept for one only.
  Expected<void> run_samples() {
    LayerErrors layers(graph(), stored_);
    if (options_.runner) {
      result_.runtime = "node";
      SUBBYTE_TRY(module_outputs_, options_.runner(model_, samples_));
    } else {
      result_.runtime = "executor";
    }
    for (std::size_t s = 0; s < samples_.size(); ++s) {
      observer_.progress("evaluating", s + 1, samples_.size());
      ExecuteOptions execution;
      execution.cancelled = [this] { return observer_.cancelled(); };
      if (!options_.runner) execution.observe = layers.keep();
      auto expected = execute(model_, std::span(&samples_[s], 1), execution);
      if (!expected) return within(fmt::format("sample {}", s), std::move(expected.error()));
      source_outputs_.push_back(std::move(expected->front()));
      if (options_.runner) continue;
      layers.keep_outputs(source_outputs_.back());
      execution.observe = layers.compare();
      execution.replace = [this](ValueId value) -> Expected<std::optional<Tensor>> {
        const auto weight = stored_.find(value);
        if (weight == stored_.end()) return std::nullopt;
        return weights_.decoded(*weight->second);
      };
      auto found = execute(model_, std::span(&samples_[s], 1), execution);
      if (!found) return within("the quantized model", std::move(found.error()));
      layers.compare_outputs(found->front());
      module_outputs_.push_back(std::move(found->front()));
    }
    if (options_.runner) return {};
    result_.layers = layers.figures();
    const auto wrong = std::find_if(result_.layers.begin(), result_.layers.end(),
                                    [](const auto& layer) { return layer.relative_l2 > kWrong; });
    if (wrong != result_.layers.end())
      result_.first_wrong = static_cast<std::size_t>(wrong - result_.layers.begin());
    return {};
  }

  std::string output_name(std::size_t output) const {
    return valid_utf8(graph().values[graph().outputs[output]].name);
  }

  // Of the integers [batch, steps] that a language model predicts the next of: the input whose
  // values the output's classes are.
  std::optional<std::size_t> ids_of(std::size_t output) const {
    const Tensor& first = source_outputs_.front()[output];
    if (first.dims.size() != 3 || first.dims[2] < 32) return std::nullopt;
    for (std::size_t i = 0; i < graph().inputs.size(); ++i) {
      const bool fits = std::all_of(samples_.begin(), samples_.end(), [&](const Sample& sample) {
        const Tensor& ids = sample[i];
        const Tensor& wide =
            source_outputs_[static_cast<std::size_t>(&sample - samples_.data())][output];
        if (is_float(ids.dtype) || ids.dtype == DType::boolean || ids.dims.size() != 2)
          return false;
        if (ids.dims[0] != wide.dims[0] || ids.dims[1] != wide.dims[1]) return false;
        const auto values = integer_values(ids);
        return std::all_of(values->begin(), values->end(),
                           [&](std::int64_t id) { return id >= 0 && id < wide.dims[2]; }) &&
               std::any_of(values->begin(), values->end(), [](std::int64_t id) { return id > 1; });
      });
      if (fits) return i;
    }
    return std::nullopt;
  }

  Expected<void> tell_outputs() {
    const auto contents = output_contents(model_);
    for (std::size_t output = 0; output < graph().outputs.size(); ++output) {
      std::vector<Tensor> expected, found;
      for (std::size_t s = 0; s < samples_.size(); ++s) {
        expected.push_back(source_outputs_[s][output]);
        found.push_back(module_outputs_[s][output]);
      }
      OutputFigures figures;
      figures.name = output_name(output);
      figures.content = contents[output];
      figures.loss = output_loss(contents[output], expected, found);
      figures.sqnr_db = -20 * log10_of(figures.loss.relative_l2.value);
      const bool predicts =
          contents[output].says == Says::logits || contents[output].says == Says::distribution;
      const auto ids = predicts ? ids_of(output) : std::nullopt;
      if (ids) tell_perplexity(figures, *ids, expected, found);
      result_.outputs.push_back(std::move(figures));
    }
    return {};
  }

  // Of each sample the losses of source and module, and the tokens.
  void tell_perplexity(OutputFigures& figures, std::size_t ids, std::span<const Tensor> expected,
                       std::span<const Tensor> found) const {
    std::vector<std::vector<double>> items;
    for (std::size_t s = 0; s < samples_.size(); ++s) {
      if (expected[s].dims != found[s].dims) return;
      const auto tokens = integer_values(samples_[s][ids]);
      Likelihood ours, theirs;
      ours.add(figures.content, expected[s], *tokens);
      theirs.add(figures.content, found[s], *tokens);
      items.push_back({ours.loss, theirs.loss, ours.tokens});
    }
    const auto of = [](std::size_t loss) {
      return [loss](std::span<const double> sums) {
        return sums[2] == 0 ? 0 : exp_of(sums[loss] / sums[2]);
      };
    };
    if (figure_of(items, [](auto sums) { return sums[2]; }) == 0) return;
    figures.source_perplexity = figure_of(items, of(0));
    figures.module_perplexity = figure_of(items, of(1));
    figures.perplexity_difference =
        bootstrap(items, [&](auto sums) { return of(1)(sums) - of(0)(sums); });
  }

  // Which output each metric is of.
  Expected<void> find_tasks() {
    for (const std::string& wanted : options_.metrics) {
      const std::size_t colon = wanted.find(':');
      std::size_t output = 0;
      if (colon != std::string::npos) {
        SUBBYTE_TRY(output, output_of(wanted.substr(colon + 1)));
      } else {
        while (output + 1 < graph().outputs.size() && !holds_floats(output)) ++output;
      }
      std::string metric = wanted.substr(0, colon);
      if (!holds_floats(output)) {
        return fail("--metric {}: output {} holds no floats", metric, quoted(output_name(output)));
      }
      tasks_.emplace_back(std::move(metric), output);
    }
    return {};
  }

  Expected<void> tell_tasks() {
    for (const auto& [metric, output] : tasks_) {
      std::vector<Answer> answers;
      for (std::size_t s = 0; s < samples_.size(); ++s) {
        Answer answer{source_outputs_[s][output], module_outputs_[s][output], std::nullopt};
        if (!labels_.empty()) answer.label = labels_[s];
        answers.push_back(std::move(answer));
      }
      SUBBYTE_TRY(auto figure, task_figure(metric, output_name(output), answers));
      result_.tasks.push_back(std::move(figure));
    }
    return {};
  }

  bool holds_floats(std::size_t output) const {
    return is_float(graph().values[graph().outputs[output]].dtype);
  }

  Expected<std::size_t> output_of(const std::string& name) const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < graph().outputs.size(); ++i) {
      names.push_back(output_name(i));
      if (names.back() == name) return i;
    }
    return fail_as(ErrorKind::usage, "--metric: the model has no output {}; it has {}",
                   quoted(name), fmt::join(names, ", "));
  }

  FileSystem& files_;
  const std::string module_;
  const Source& source_;
  const EvaluateOptions& options_;
  Observer& observer_;
  Model model_;
  ModuleWeights weights_;
  std::deque<ModuleWeight> in_other_forms_;
  std::unordered_map<ValueId, const ModuleWeight*> stored_;
  std::vector<std::pair<std::string, std::size_t>> tasks_;  // metric, output
  std::vector<Sample> samples_;
  std::vector<Tensor> labels_;
  std::vector<std::vector<Tensor>> source_outputs_, module_outputs_;
  Evaluation result_;
};

}  // namespace

Expected<Evaluation> evaluate_module(FileSystem& files, const std::string& module,
                                     const Source& source, const EvaluateOptions& options,
                                     Observer& observer) {
  return Evaluating(files, module, source, options, observer).run();
}

}  // namespace subbyte
