// `subbyte inspect`: what is in a model.
#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/verbs.h"
#include "graph/infer.h"
#include "import/onnx.h"
#include "passes/passes.h"
#include "plan/plan_json.h"
#include "quantize/uses.h"

namespace subbyte {

namespace {

using Json = nlohmann::ordered_json;

Json ports(const Model& model, const std::vector<ValueId>& values) {
  Json list = Json::array();
  for (const ValueId v : values) {
    const Value& value = model.main().values[v];
    list.push_back({{"name", valid_utf8(value.name)}, {"dtype", dtype_name(value.dtype)}});
    list.back()["dims"] = value.shape ? dims_json(model, *value.shape) : Json(nullptr);
  }
  return list;
}

Json weights(const Model& model, const std::vector<WeightUse>& uses, std::int64_t& parameters,
             std::int64_t& bytes) {
  Json list = Json::array();
  for (const WeightUse& use : uses) {
    const Value& value = model.main().values[use.value];
    parameters += use.parameters();
    bytes += static_cast<std::int64_t>(value.constant->data.size());
    list.push_back({{"name", valid_utf8(value.name)},
                    {"dtype", dtype_name(value.dtype)},
                    {"shape", value.constant->dims},
                    {"layer", use.layer ? Json(*use.layer) : Json(nullptr)},
                    {"component", component_name(use.component)},
                    {"parameters", use.parameters()},
                    {"bytes", value.constant->data.size()}});
  }
  return list;
}

// Parameters summed over the weights that share a key, in the order of the keys.
template <typename Key>
Json summed(const std::vector<WeightUse>& uses, const char* name, Key key) {
  std::map<decltype(key(uses.front())), std::int64_t> sums;
  for (const WeightUse& use : uses) sums[key(use)] += use.parameters();
  Json list = Json::array();
  for (const auto& [which, parameters] : sums)
    list.push_back({{name, which}, {"parameters", parameters}});
  return list;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

Expected<Json> describe_model(FileSystem& files, const std::string& path) {
  SUBBYTE_TRY(Model model, read_onnx(files, path));
  std::map<std::string, int> operators;
  for (const Node& node : model.main().nodes) ++operators[valid_utf8(node.op_type)];
  Json json{{"file", base_name_of(path)},
            {"format", "onnx"},
            {"opset", model.opset},
            {"producer", valid_utf8(model.producer)}};
  const auto supported = check_supported(model);
  if (supported) {
    auto prepared = run_passes(model, standard_passes());
    if (!prepared) return within(quoted(path), std::move(prepared.error()));
  }
  json["inputs"] = ports(model, model.main().inputs);
  json["outputs"] = ports(model, model.main().outputs);
  json["operators"] = operators;
  const auto uses = find_weight_uses(model);
  std::int64_t parameters = 0, bytes = 0;
  Json list = weights(model, uses, parameters, bytes);
  std::vector<WeightUse> in_layers;
  for (const auto& use : uses) {
    if (use.layer) in_layers.push_back(use);
  }
  json["layers"] = summed(in_layers, "layer", [](const WeightUse& use) { return *use.layer; });
  json["components"] = summed(uses, "component", [](const WeightUse& use) {
    return std::string(component_name(use.component));
  });
  json["weights"] = std::move(list);
  json["totals"] = {{"parameters", parameters}, {"bytes", bytes}};
  json["unsupported"] =
      supported ? std::vector<std::string>() : lines_of(supported.error().message);
  return json;
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

std::string bytes_text(std::int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  double size = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (size >= 999.5 && unit + 1 < std::size(kUnits)) {
    size /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes)
                   : fmt::format("{:.{}f} {}", size,
                                 size < 10    ? 2
                                 : size < 100 ? 1
                                              : 0,
                                 kUnits[unit]);
}

Expected<void> inspect(FileSystem& files, const InspectOptions& options) {
  SUBBYTE_TRY(const Json json, describe_model(files, options.model));
  if (options.json) {
    fmt::print("{}\n", json.dump(1, ' ', true, Json::error_handler_t::replace));
  } else {
    print_table(json);
  }
  return {};
}

}  // namespace subbyte
