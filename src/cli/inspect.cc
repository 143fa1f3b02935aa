// `subbyte inspect`: what is in a model, or in a converted module.
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "base/text.h"
#include "cli/standard_streams.h"
#include "cli/verbs.h"
#include "compile/describe.h"
#include "compile/describe_module.h"
#include "compile/whole.h"
#include "graph/arithmetic.h"

namespace subbyte {

namespace {

using Json = nlohmann::ordered_json;

Json ports(const std::vector<PortFacts>& ports) {
  Json list = Json::array();
  for (const PortFacts& port : ports) {
    Json dims = port.dims ? Json::array() : Json(nullptr);
    if (port.dims) {
      for (const auto& dim : *port.dims)
        std::visit([&](const auto& value) { dims.push_back(value); }, dim);
    }
    list.push_back({{"name", port.name}, {"dtype", dtype_name(port.dtype)}, {"dims", dims}});
  }
  return list;
}

Json weights(const std::vector<WeightFacts>& weights) {
  Json list = Json::array();
  for (const WeightFacts& weight : weights) {
    list.push_back({{"name", weight.name},
                    {"dtype", dtype_name(weight.dtype)},
                    {"shape", weight.shape},
                    {"layer", weight.layer ? Json(*weight.layer) : Json(nullptr)},
                    {"component", component_name(weight.component)},
                    {"parameters", weight.parameters},
                    {"bytes", weight.bytes}});
  }
  return list;
}

// Parameters summed over the weights that share a key, in the order of the keys; `key` gives none
// for a weight that is not counted.
template <typename Key>
Json summed(const std::vector<WeightFacts>& weights, const char* name, Key key) {
  std::map<typename std::invoke_result_t<Key, const WeightFacts&>::value_type, std::int64_t> sums;
  for (const WeightFacts& weight : weights) {
    if (const auto which = key(weight)) sums[*which] += weight.parameters;
  }
  Json list = Json::array();
  for (const auto& [which, parameters] : sums)
    list.push_back({{name, which}, {"parameters", parameters}});
  return list;
}

Json facts_json(const ModelFacts& facts) {
  Json unsupported = Json::array();
  for (const Error& error : facts.unsupported) unsupported.push_back(error.message);
  return {
      {"file", facts.file},
      {"format", "onnx"},
      {"opset", facts.opset},
      {"producer", facts.producer},
      {"inputs", ports(facts.inputs)},
      {"outputs", ports(facts.outputs)},
      {"operators", facts.operators},
      {"layers",
       summed(facts.weights, "layer", [](const WeightFacts& weight) { return weight.layer; })},
      {"components", summed(facts.weights, "component",
                            [](const WeightFacts& weight) {
                              return std::optional(std::string(component_name(weight.component)));
                            })},
      {"weights", weights(facts.weights)},
      {"totals", {{"parameters", facts.parameters}, {"bytes", facts.bytes}}},
      {"deciding", facts.deciding},
      {"unsupported", unsupported}};
}

std::string port_line(const Json& port) {
  std::string dims;
  for (const auto& dim : port["dims"]) {
    dims += (dims.empty() ? "" : ", ") +
            (dim.is_string() ? quoted(dim.get<std::string>()) : dim.dump());
  }
  return fmt::format("  {}: {} [{}]\n", quoted(port["name"].get<std::string>()),
                     port["dtype"].get<std::string>(), dims);
}

std::string table(const Json& json) {
  const auto producer = json["producer"].get<std::string>();
  std::string text =
      fmt::format("{}: ONNX, opset {}{}\n", quoted(json["file"].get<std::string>()),
                  json["opset"].get<std::int64_t>(),
                  producer.empty() ? "" : fmt::format(", made by {}", quoted(producer)));
  text += "inputs\n";
  for (const auto& port : json["inputs"]) text += port_line(port);
  text += "outputs\n";
  for (const auto& port : json["outputs"]) text += port_line(port);
  text += "operators\n ";
  for (const auto& [name, count] : json["operators"].items())
    text += fmt::format(" {} {},", count.dump(), quoted(name));
  text.back() = '\n';
  text += "components\n";
  for (const auto& entry : json["components"]) {
    text += fmt::format("  {:<14}{:>14} parameters\n", entry["component"].get<std::string>(),
                        entry["parameters"].dump());
  }
  if (!json["layers"].empty()) text += "layers\n";
  for (const auto& entry : json["layers"]) {
    text += fmt::format("  {:<14}{:>14} parameters\n", entry["layer"].dump(),
                        entry["parameters"].dump());
  }
  text += "weights\n";
  for (const auto& entry : json["weights"]) {
    const std::string layer =
        entry["layer"].is_null() ? "" : fmt::format(", layer {}", entry["layer"].dump());
    text += fmt::format("  {:<60} {:<9}{:<20}{:>12}  {}{}\n",
                        quoted(entry["name"].get<std::string>()), entry["dtype"].get<std::string>(),
                        entry["shape"].dump(), bytes_text(entry["bytes"].get<std::int64_t>()),
                        entry["component"].get<std::string>(), layer);
  }
  text += fmt::format("total: {} parameters, {}\n", json["totals"]["parameters"].dump(),
                      bytes_text(json["totals"]["bytes"].get<std::int64_t>()));
  if (!json["deciding"].empty()) text += "what decides its Ifs when converting\n";
  for (const auto& option : json["deciding"])
    text += fmt::format("  {}\n", option.get<std::string>());
  if (!json["unsupported"].empty()) text += "not supported\n";
  for (const auto& line : json["unsupported"])
    text += fmt::format("  {}\n", line.get<std::string>());
  return text;
}

// What --sort calls a column, the key of a weight in the JSON, and whether the largest come first.
struct Column {
  std::string_view name, key;
  bool largest_first = false, of_modules_only = false;
};
constexpr Column kColumns[] = {
    {"name", "name"},
    {"layer", "layer"},
    {"component", "component"},
    {"parameters", "parameters", true},
    {"bytes", "bytes", true},
    {"bits", "bits", false, true},
    {"sqnr", "sqnr_db", false, true},
    {"reason", "reason", false, true},
};

// What has no value in that column comes last; equals stay in the order of the file.
void sort_weights(Json& weights, const Column& column) {
  const std::string key(column.key);
  const auto before = [&](const Json& a, const Json& b) {
    const bool has_a = a.contains(key) && !a[key].is_null();
    const bool has_b = b.contains(key) && !b[key].is_null();
    if (!has_a || !has_b) return has_a && !has_b;
    return column.largest_first ? b[key] < a[key] : a[key] < b[key];
  };
  std::stable_sort(weights.begin(), weights.end(), before);
}

Expected<void> sort_by(Json& weights, const std::string& name, bool is_module) {
  const auto* const column = std::find_if(std::begin(kColumns), std::end(kColumns),
                                          [&](const Column& c) { return c.name == name; });
  if (column == std::end(kColumns)) return {};
  if (column->of_modules_only && !is_module) {
    return fail_as(ErrorKind::usage,
                   "--sort {}: only a converted module has that column; a model has name, layer, "
                   "component, parameters, bytes",
                   name);
  }
  sort_weights(weights, *column);
  return {};
}

// The manifest's own fields, and what a run takes.
Json module_json(const std::string& path, const ModuleFacts& facts) {
  const Json& manifest = facts.manifest;
  Json json{{"file", base_name_of(path)}, {"format", "webgpu"}};
  for (const char* const key :
       {"subbyte", "precision", "model_type", "source", "inputs", "outputs"})
    json[key] = manifest.at(key);
  json["weights"] = Json::array();
  for (const Json& weight : manifest.at("weights")) {
    Json row{{"name", weight.at("name")},
             {"layer", weight.at("layer")},
             {"component", weight.at("component")},
             {"shape", weight.at("shape")}};
    row["parameters"] =
        saturating_mul(weight.at("rows").get<std::int64_t>(), weight.at("k").get<std::int64_t>());
    for (const char* const key : {"bits", "bytes", "sqnr_db"}) row[key] = weight.at(key);
    row["reason"] = weight.contains("reason") ? weight["reason"] : Json(nullptr);
    json["weights"].push_back(std::move(row));
  }
  json["totals"] = manifest.at("totals");
  if (manifest.contains("check")) json["check"] = manifest["check"];
  json["run"] = nullptr;
  if (!facts.run) return json;
  Json sizes = Json::object();
  for (const auto& [name, size] : facts.run->sizes) sizes[valid_utf8(name)] = size;
  json["run"] = {
      {"sizes", sizes},
      {"dispatches", facts.run->dispatches},
      {"memory",
       {{"weights", manifest.at("totals").at("bytes")}, {"tensors", facts.run->tensor_bytes}}}};
  return json;
}

std::string weight_line(const Json& weight) {
  const Json& sqnr = weight["sqnr_db"];
  const std::string reason =
      weight["reason"].is_null() ? "" : fmt::format("  ({})", weight["reason"].get<std::string>());
  return fmt::format(
      "  {:>4}{:>12}{:>10}{:>9}{:>7}  {:<13} {}{}\n", weight["bits"].get<std::int64_t>(),
      weight["parameters"].get<std::int64_t>(), bytes_text(weight["bytes"].get<std::int64_t>()),
      sqnr.is_null() ? "exact" : fmt::format("{:.1f}", sqnr.get<double>()),
      weight["layer"].is_null() ? "" : weight["layer"].dump(),
      weight["component"].get<std::string>(), quoted(weight["name"].get<std::string>()), reason);
}

std::string run_line(const Json& run) {
  std::string sizes;
  for (const auto& [name, size] : run["sizes"].items())
    sizes += fmt::format("{}{} {}", sizes.empty() ? " at " : ", ", quoted(name), size.dump());
  return fmt::format(
      "a run{}: {} dispatch{}; {} of weights and at least {} of tensors on the GPU\n", sizes,
      run["dispatches"].dump(), run["dispatches"] == 1 ? "" : "es",
      bytes_text(run["memory"]["weights"].get<std::int64_t>()),
      bytes_text(run["memory"]["tensors"].get<std::int64_t>()));
}

std::string module_table(const Json& json) {
  std::string text = fmt::format("{}: {}, made of {} by subbyte {}\ninputs\n",
                                 quoted(json["file"].get<std::string>()),
                                 quoted(json["precision"].get<std::string>()),
                                 quoted(json["source"].at("name").get<std::string>()),
                                 quoted(json["subbyte"].get<std::string>()));
  for (const auto& port : json["inputs"]) text += port_line(port);
  text += "outputs\n";
  for (const auto& port : json["outputs"]) text += port_line(port);
  text += fmt::format("weights\n  {:>4}{:>12}{:>10}{:>9}{:>7}  {:<13} {}\n", "bits", "parameters",
                      "bytes", "SQNR dB", "layer", "component", "name");
  for (const auto& weight : json["weights"]) text += weight_line(weight);
  const Json& totals = json["totals"];
  text += fmt::format("total: {} parameters, {}, {:.2f} bits a weight\n",
                      totals.at("parameters").dump(),
                      bytes_text(totals.at("bytes").get<std::int64_t>()),
                      totals.at("bits_per_weight").get<double>());
  return json["run"].is_null() ? text : text + run_line(json["run"]);
}

Expected<std::string> inspect_module(FileSystem& files, const InspectOptions& options,
                                     const Fixed& fixed) {
  if (!fixed.inputs.empty()) {
    return fail_as(ErrorKind::usage,
                   "--input {}: this is for a model; the inputs of a module are what they are",
                   quoted(fixed.inputs.front().first));
  }
  SUBBYTE_TRY(const ModuleFacts facts, describe_module(files, options.model, fixed.dims));
  try {
    Json json = module_json(options.model, facts);
    SUBBYTE_CHECK_OK(sort_by(json["weights"], options.sort, true));
    return options.json ? json.dump(1, ' ', true, Json::error_handler_t::replace) + "\n"
                        : module_table(json);
  } catch (const Json::exception& error) {
    return fail("{}: the manifest is damaged ({}); convert the model again", quoted(options.model),
                quoted(error.what()));
  }
}

Expected<std::string> inspect_model(FileSystem& files, const InspectOptions& options,
                                    const Fixed& fixed) {
  SUBBYTE_TRY(const ModelFacts facts, describe_model(files, options.model, fixed));
  Json json = facts_json(facts);
  SUBBYTE_CHECK_OK(sort_by(json["weights"], options.sort, false));
  return options.json ? json.dump(1, ' ', true, Json::error_handler_t::replace) + "\n"
                      : table(json);
}

}  // namespace

std::vector<std::string> sort_columns() {
  std::vector<std::string> names;
  for (const Column& column : kColumns) names.emplace_back(column.name);
  return names;
}

Expected<void> inspect(FileSystem& files, const InspectOptions& options) {
  SUBBYTE_TRY(const Fixed fixed, parse_fixed(options.dims, options.inputs));
  SUBBYTE_TRY(const bool module, is_module(files, options.model));
  SUBBYTE_TRY(const std::string text, module ? inspect_module(files, options, fixed)
                                             : inspect_model(files, options, fixed));
  return print_result(text);
}

}  // namespace subbyte
