// What a report's page draws.
#include <fmt/format.h>

#include <cmath>

#include "base/text.h"
#include "cli/report.h"
#include "compile/check_report.h"

namespace subbyte {

namespace {

using Json = nlohmann::ordered_json;

void add_estimate(Json& json, const std::string& name, const std::optional<Estimate>& estimate) {
  if (!estimate) return;
  json[name] = number_json(estimate->value);
  json[name + "_interval"] = {number_json(estimate->low), number_json(estimate->high)};
}

Json check_json(const Check& check) {
  if (!check.skipped.empty()) return {{"skipped", check.skipped}};
  Json json{{"samples", check.samples}, {"made_of", check.made_of}, {"outputs", Json::array()}};
  for (const OutputCheck& output : check.outputs) {
    Json one{{"name", output.name}};
    add_estimate(one, "relative_l2", output.loss.relative_l2);
    add_estimate(one, "kl", output.loss.kl);
    add_estimate(one, "flips", output.loss.flips);
    json["outputs"].push_back(std::move(one));
  }
  return json;
}

Json calibration_json(const FitReport& report) {
  Json json{{"rounded", number_json(report.rounded)},
            {"codes", number_json(report.codes)},
            {"kept", kept_name(report.kept)}};
  if (report.tried_biases) {
    json["biases"] = number_json(report.biases);
    json["codes_and_biases"] = number_json(report.codes_and_biases);
  }
  if (report.tuning && report.tuning->skipped.empty()) {
    json["tuning"] = {{"before", number_json(report.tuning->before)},
                      {"after", number_json(report.tuning->after)},
                      {"steps", report.tuning->steps}};
  } else if (report.tuning) {
    json["tuning"] = {{"skipped", report.tuning->skipped}};
  }
  return json;
}

Json weight_json(const StudiedWeight& weight) {
  Json json{{"name", weight.name},
            {"component", weight.component},
            {"layer", weight.layer ? Json(*weight.layer) : Json(nullptr)},
            {"bits", weight.bits},
            {"bytes", weight.bytes},
            {"reason", weight.reason}};
  if (weight.sqnr_db) json["sqnr_db"] = number_json(*weight.sqnr_db);
  if (weight.loss) json["loss"] = number_json(*weight.loss);
  return json;
}

const char* kind_name(TriedWidths::Kind kind) {
  switch (kind) {
    case TriedWidths::Kind::precision:
      return "precision";
    case TriedWidths::Kind::mix:
      return "mix";
    case TriedWidths::Kind::mixed:
      return "mixed";
    case TriedWidths::Kind::chosen:
      return "chosen";
  }
  return "mix";
}

Json widths_json(const WidthStudy& study) {
  Json weights = Json::array(), models = Json::array();
  for (const Sensitivity& one : study.weights) {
    Json widths = Json::array();
    for (const WidthLoss& width : one.widths)
      widths.push_back({{"bits", width.bits},
                        {"bytes", width.bytes},
                        {"loss", number_json(width.loss)},
                        {"measured", width.measured}});
    weights.push_back({{"name", one.name}, {"widths", std::move(widths)}});
  }
  for (const TriedWidths& one : study.models) {
    Json model{{"kind", kind_name(one.kind)},
               {"name", one.name},
               {"bytes", one.bytes},
               {"error", number_json(one.error)}};
    if (one.flips) model["flips"] = number_json(*one.flips);
    if (one.kl) model["kl"] = number_json(*one.kl);
    models.push_back(std::move(model));
  }
  return {{"tuning_samples", study.tuning},
          {"held_out_samples", study.held_out},
          {"weights", std::move(weights)},
          {"models", std::move(models)}};
}

}  // namespace

Json number_json(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json histograms_json(const std::vector<WeightHistogram>& histograms) {
  Json json = Json::array();
  for (const WeightHistogram& one : histograms) {
    json.push_back({{"name", one.name},
                    {"bits", one.bits},
                    {"sqnr_db", number_json(one.sqnr_db)},
                    {"low", one.low},
                    {"high", one.high},
                    {"source", one.source},
                    {"module", one.module}});
  }
  return json;
}

Json report_json(const ReportedConversion& done) {
  const Study& study = done.study;
  Json json{{"verb", done.verb},
            {"source", valid_utf8(done.source)},
            {"output", valid_utf8(done.output)},
            {"asked", valid_utf8(done.asked)},
            {"bytes", done.bytes},
            {"bits_per_weight", done.bits_per_weight}};
  if (done.source_bytes) json["source_bytes"] = *done.source_bytes;
  if (done.check) json["check"] = check_json(*done.check);
  json["weights"] = Json::array();
  for (const StudiedWeight& weight : study.weights) json["weights"].push_back(weight_json(weight));
  if (study.calibration) json["calibration"] = calibration_json(*study.calibration);
  json["not_calibrated"] = study.calibration ? "" : study.not_calibrated;
  if (study.widths) json["widths"] = widths_json(*study.widths);
  json["not_measured"] = study.widths ? "" : study.not_measured;
  json["histograms"] = histograms_json(study.histograms);
  return json;
}

std::string asked_widths(const ConvertOptions& options) {
  const WidthOptions& widths = options.widths;
  if (!widths.target_size.empty()) return "--target-size " + widths.target_size;
  if (!widths.target_bits.empty()) return "--target-bits " + widths.target_bits;
  if (!widths.max_loss.empty()) return "--max-loss " + widths.max_loss;
  return "--precision " + options.precision;
}

}  // namespace subbyte
