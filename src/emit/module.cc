#include "emit/module.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "embedded/runtime.h"
#include "emit/version.h"
#include "plan/plan_json.h"

namespace subbyte {

namespace {

using Json = nlohmann::ordered_json;

// JSON as JavaScript that is also safe inside an HTML script element: ASCII only, and neither "</"
// nor "<!" nor "*/" survives in a string.
std::string script_json(const Json& json) {
  const std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char before = i > 0 ? text[i - 1] : ' ';
    if (text[i] == '/' && (before == '<' || before == '*')) safe += '\\';
    if (text[i] == '!' && before == '<') {
      safe += "\\u0021";
      continue;
    }
    safe += text[i];
  }
  return safe;
}

// The name as a relative URL between single quotes. Escaped is only what has a meaning of its own
// there, in a URL or in a page: all else a URL escapes by itself (https://url.spec.whatwg.org, path
// percent-encode set), and bundlers find the file by what is written.
std::string url_of(const std::string& name) {
  constexpr std::string_view kPlain = " -._~()[]@&=+,;$";
  const bool is_text = valid_utf8(name) == name;
  std::string url = "./";
  for (const unsigned char c : name) {
    const bool plain = c < 0x80 ? std::isalnum(c) || kPlain.find(c) != std::string::npos : is_text;
    url += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return url;
}

// What the forms of the plan make use of where the device has it; nothing is required.
Json requirements(const Plan& plan) {
  std::set<std::string> features;
  std::map<std::string, std::int64_t> limits;
  for (const auto& step : plan.steps) {
    features.insert(step.device.features.begin(), step.device.features.end());
    for (const auto& [name, value] : step.device.limits)
      limits[name] = std::max(limits[name], value);
    for (const auto& form : step.forms) {
      features.insert(form.features.begin(), form.features.end());
      for (const auto& [name, value] : form.limits) limits[name] = std::max(limits[name], value);
    }
  }
  return {{"features", features}, {"limits", Json(limits)}};
}

}  // namespace

std::string module_text(const Model& model, const Plan& plan, const PackedWeights& weights,
                        const std::vector<std::string>& inline_base64) {
  Json json = plan_json(model, plan, weights.places);
  Json files = Json::array();
  std::string urls;
  for (const auto& file : weights.files) {
    files.push_back({{"name", valid_utf8(file.name)},
                     {"bytes", file.bytes},
                     {"sha256", file.sha256},
                     {"chunks", file.chunks}});
    if (!inline_base64.empty()) continue;
    urls += fmt::format("{}() => new URL('{}', import.meta.url)", urls.empty() ? "" : ", ",
                        url_of(file.name));
  }
  json["files"] = std::move(files);
  std::string text = fmt::format("{}{}\n", kModuleMark, kVersion);
  text += embedded::runtime;
  text += "const plan = " + script_json(json) + ";\n";
  text += "export const format = 1;\n";
  text += "export const requirements = " + script_json(requirements(plan)) + ";\n";
  text += "export const SubbyteError = subbyte_runtime.SubbyteError;\n";
  text += "export const load = subbyte_runtime.loader(plan, [" + urls + "]";
  if (!inline_base64.empty()) {
    text += ", [";
    for (const auto& base64 : inline_base64) text += "\"" + base64 + "\",";
    text += "]";
  }
  return text + ");\n";
}

}  // namespace subbyte
