// `subbyte evaluate`: a converted module against its source.
#include "compile/evaluate.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/log_observer.h"
#include "cli/node_runner.h"
#include "cli/report.h"
#include "cli/standard_streams.h"
#include "cli/verbs.h"
#include "compile/file_claims.h"
#include "emit/output_files.h"

namespace subbyte {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kHistograms = 6;  // in a report

Json interval(const Interval& interval) {
  return Json::array({number_json(interval.low), number_json(interval.high)});
}

const char* name_of(const OutputContent& content) {
  switch (content.says) {
    case Says::distribution:
      return content.is_logarithm ? "log-probabilities" : "probabilities";
    case Says::logits:
      return "logits";
    case Says::probabilities:
      return "probabilities of each element";
    case Says::numbers:
      break;
  }
  return "numbers";
}

void add_estimate(Json& json, const std::string& name, const Estimate& estimate) {
  json[name] = number_json(estimate.value);
  json[name + "_interval"] = interval({estimate.low, estimate.high});
}

Json output_json(const OutputFigures& output) {
  Json json{{"name", output.name}, {"holds", name_of(output.content)}};
  add_estimate(json, "relative_l2", output.loss.relative_l2);
  json["sqnr_db"] = number_json(output.sqnr_db);
  if (output.loss.kl) add_estimate(json, "kl", *output.loss.kl);
  if (output.loss.flips) add_estimate(json, "flips", *output.loss.flips);
  if (!output.source_perplexity) return json;
  json["perplexity"] = {{"source", number_json(*output.source_perplexity)},
                        {"module", number_json(*output.module_perplexity)},
                        {"difference_interval", interval(output.perplexity_difference)}};
  return json;
}

Json layer_json(const LayerFigures& layer) {
  return {{"node", layer.node},
          {"op", layer.op},
          {"weight", layer.weight},
          {"layer", layer.layer ? Json(*layer.layer) : Json(nullptr)},
          {"component", layer.component},
          {"bits", layer.bits},
          {"bytes", layer.bytes},
          {"relative_l2", number_json(layer.relative_l2)},
          {"sqnr_db", number_json(layer.sqnr_db)}};
}

Json task_json(const TaskFigure& task) {
  return {{"metric", task.metric},
          {"output", task.output},
          {"against", task.labelled ? "labels" : "source"},
          {"items", task.items},
          {"source", number_json(task.source)},
          {"module", number_json(task.module)},
          {"difference", number_json(task.module - task.source)},
          {"difference_interval", interval(task.difference)}};
}

Json evaluation_json(const Evaluation& evaluation) {
  Json json{{"module", valid_utf8(evaluation.module)},
            {"source", valid_utf8(evaluation.source)},
            {"precision", evaluation.precision},
            {"bytes", evaluation.bytes},
            {"source_bytes", evaluation.source_bytes},
            {"bits_per_weight", evaluation.bits_per_weight},
            {"runtime", evaluation.runtime},
            {"samples", {{"count", evaluation.samples}, {"are", evaluation.samples_are}}}};
  json["outputs"] = Json::array();
  for (const auto& output : evaluation.outputs) json["outputs"].push_back(output_json(output));
  json["layers"] = Json::array();
  for (const auto& layer : evaluation.layers) json["layers"].push_back(layer_json(layer));
  json["first_wrong"] = evaluation.first_wrong ? Json(*evaluation.first_wrong) : Json(nullptr);
  json["metrics"] = Json::array();
  for (const auto& task : evaluation.tasks) json["metrics"].push_back(task_json(task));
  return json;
}

// All of it, for the page.
Json report_json(const Evaluation& evaluation) {
  Json json{{"verb", "evaluate"}};
  json.update(evaluation_json(evaluation));
  json["weights"] = Json::array();
  for (const WeightFigures& weight : evaluation.weights) {
    json["weights"].push_back({{"name", weight.name},
                               {"component", weight.component},
                               {"layer", weight.layer ? Json(*weight.layer) : Json(nullptr)},
                               {"bits", weight.bits},
                               {"bytes", weight.bytes},
                               {"reason", weight.reason}});
  }
  json["histograms"] = histograms_json(evaluation.histograms);
  return json;
}

std::string percent(double share) { return fmt::format("{:.2f} %", share * 100); }
std::string percent(const Estimate& estimate) {
  return fmt::format("{} [{:.2f}, {:.2f}]", percent(estimate.value), estimate.low * 100,
                     estimate.high * 100);
}

std::string decibels(double sqnr_db) {
  return std::isfinite(sqnr_db) ? fmt::format("{:.1f}", sqnr_db) : "exact";
}

std::string output_lines(const OutputFigures& output) {
  const OutputLoss& loss = output.loss;
  std::string text = fmt::format("  {}: error {}, SQNR {} dB\n", quoted(output.name),
                                 percent(loss.relative_l2), decibels(output.sqnr_db));
  if (loss.kl && loss.flips) {
    text +=
        fmt::format("    {}: KL {:.3g} [{:.3g}, {:.3g}] nats, flips {}\n", name_of(output.content),
                    loss.kl->value, loss.kl->low, loss.kl->high, percent(*loss.flips));
  }
  if (!output.source_perplexity) return text;
  return text +
         fmt::format("    perplexity {:.3f}, of the source {:.3f}; difference [{:+.3f}, {:+.3f}]\n",
                     *output.module_perplexity, *output.source_perplexity,
                     output.perplexity_difference.low, output.perplexity_difference.high);
}

std::string name_of(const LayerFigures& layer) {
  return quoted(layer.node.empty() ? layer.weight : layer.node);
}

std::string layers_text(const Evaluation& evaluation) {
  if (evaluation.layers.empty()) return "";
  constexpr std::size_t kWidest = 90;
  std::size_t width = 0;
  for (const auto& layer : evaluation.layers)
    width = std::min(kWidest, std::max(width, name_of(layer).size()));
  std::string text =
      fmt::format("layers, and the error of what each computes\n  {:<{}}{:>6}{:>10}{:>11}{:>9}\n",
                  "", width, "bits", "bytes", "error", "SQNR dB");
  for (std::size_t i = 0; i < evaluation.layers.size(); ++i) {
    const LayerFigures& layer = evaluation.layers[i];
    text +=
        fmt::format("  {:<{}}{:>6}{:>10}{:>11}{:>9}{}\n", name_of(layer), width, layer.bits,
                    bytes_text(layer.bytes), percent(layer.relative_l2), decibels(layer.sqnr_db),
                    evaluation.first_wrong == i ? "  here it first goes wrong" : "");
  }
  return text;
}

std::string table(const Evaluation& evaluation) {
  std::string text = fmt::format(
      "{}: {}, {} of weights, {:.2f} bits a weight\nsource {}, {}\n{} samples, {}; run by "
      "{}\noutputs\n",
      quoted(evaluation.module), evaluation.precision, bytes_text(evaluation.bytes),
      evaluation.bits_per_weight, quoted(evaluation.source), bytes_text(evaluation.source_bytes),
      evaluation.samples, evaluation.samples_are, evaluation.runtime);
  for (const auto& output : evaluation.outputs) text += output_lines(output);
  if (!evaluation.tasks.empty()) text += "tasks\n";
  for (const auto& task : evaluation.tasks) {
    text += fmt::format(
        "  {} of {}, {} items, against {}: {:.4f}, of the source {:.4f}; "
        "difference {:+.4f} [{:+.4f}, {:+.4f}]\n",
        task.metric, quoted(task.output), task.items,
        task.labelled ? "the labels" : "the source's own answers", task.module, task.source,
        task.module - task.source, task.difference.low, task.difference.high);
  }
  return text + layers_text(evaluation);
}

// Fails where the report would be written to a file that is read.
Expected<void> claim_files(FileSystem& files, const EvaluateVerbOptions& options) {
  const std::string stem = output_stem(options.model);
  FileClaims claims(files);
  SUBBYTE_CHECK_OK(claims.reads(options.source, "the source itself"));
  SUBBYTE_CHECK_OK(claims.reads(options.model, "the module itself"));
  SUBBYTE_CHECK_OK(claims.reads(stem + ".json", "the module's manifest"));
  SUBBYTE_CHECK_OK(claims.reads_weights(stem, "a name of the module's weights"));
  if (!options.data.empty()) SUBBYTE_CHECK_OK(claims.reads_samples("--data", options.data));
  return claim_report(claims, options.report);
}

}  // namespace

Expected<void> evaluate(FileSystem& files, const EvaluateVerbOptions& options, Log& log) {
  EvaluateOptions chosen;
  chosen.metrics = options.metrics;
  chosen.data = options.data;
  SUBBYTE_TRY(chosen.fixed, parse_fixed(options.dims, options.inputs, options.renames));
  chosen.rounds_activations = options.activations != "float32";
  if (!options.report.empty()) {
    SUBBYTE_CHECK_OK(claim_files(files, options));
    SUBBYTE_CHECK_OK(check_replaceable_report(files, options.report, Force::no_option));
    chosen.histograms = kHistograms;
  }
  LogObserver observer(log);
  SUBBYTE_TRY(const Source source, open_source(files, options.source));
  if (options.runtime == "node") chosen.runner = node_runner(options.model);
  SUBBYTE_TRY(const Evaluation evaluation,
              evaluate_module(files, options.model, source, chosen, observer));
  if (!options.report.empty())
    SUBBYTE_CHECK_OK(write_report(files, options.report, report_json(evaluation)));
  if (!options.json) return print_result(table(evaluation));
  const Json json = evaluation_json(evaluation);
  return print_result(json.dump(1, ' ', true, Json::error_handler_t::replace) + "\n");
}

}  // namespace subbyte
