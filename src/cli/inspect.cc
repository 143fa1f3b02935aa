// `subbyte inspect`: what is in a model.
#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "base/text.h"
#include "cli/verbs.h"
#include "compile/describe.h"

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

void print_table(const Json& json) {
  std::string text =
      fmt::format("{}: ONNX, opset {}, made by {}\n", quoted(json["file"].get<std::string>()),
                  json["opset"].get<std::int64_t>(), quoted(json["producer"].get<std::string>()));
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
  if (!json["unsupported"].empty()) text += "not supported\n";
  for (const auto& line : json["unsupported"])
    text += fmt::format("  {}\n", line.get<std::string>());
  fmt::print("{}", text);
}

}  // namespace

Expected<void> inspect(FileSystem& files, const InspectOptions& options) {
  SUBBYTE_TRY(const Fixed fixed, parse_fixed(options.dims, options.inputs));
  SUBBYTE_TRY(const ModelFacts facts, describe_model(files, options.model, fixed));
  const Json json = facts_json(facts);
  if (options.json) {
    fmt::print("{}\n", json.dump(1, ' ', true, Json::error_handler_t::replace));
  } else {
    print_table(json);
  }
  return {};
}

}  // namespace subbyte
