// `subbyte list`: what the program knows.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "cli/standard_streams.h"
#include "cli/verbs.h"
#include "graph/ops.h"
#include "import/onnx.h"
#include "quantize/assign.h"

namespace subbyte {

namespace {

using Json = nlohmann::ordered_json;

Json formats() {
  return Json::array({{{"name", "onnx"}, {"source", true}, {"target", true}},
                      {{"name", "webgpu"}, {"source", false}, {"target", true}}});
}

Json precisions() {
  Json list = Json::array();
  for (const auto& [name, precision] : precision_names())
    list.push_back({{"name", name}, {"bits", bits_of(precision)}});
  list.push_back({{"name", "mixed"}, {"bits", nullptr}});
  return list;
}

Json ops() {
  Json list = Json::array();
  for (std::size_t i = 0; i < op_count(); ++i) {
    const OpInfo& info = op_info(static_cast<Op>(i + 1));
    if (info.domain == "subbyte") continue;  // what others become
    list.push_back({{"name", info.name},
                    {"domain", info.domain.empty() ? "ai.onnx" : info.domain},
                    {"since", info.since},
                    {"dtypes", std::string(1, static_cast<char>(info.dtypes))}});
  }
  // Those with graphs inside are gone before the table is asked.
  list.push_back({{"name", "If"}, {"domain", "ai.onnx"}, {"since", 1}, {"dtypes", "A"}});
  return list;
}

Json of_domain(const Json& ops, std::string_view domain) {
  Json list = Json::array();
  for (const auto& entry : ops)
    if (entry["domain"] == domain) list.push_back(entry);
  return list;
}

std::string names_text(const std::string& title, const Json& list) {
  std::string text = title + "\n", line;
  for (const auto& entry : list) {
    const auto name = entry["name"].get<std::string>();
    if (line.size() + name.size() > 90) {
      text += " " + line + "\n";
      line.clear();
    }
    line += " " + name;
  }
  return text + " " + line + "\n";
}

}  // namespace

Expected<void> list(const ListOptions& options) {
  const auto wanted = [&](const char* what) {
    return options.what.empty() || options.what == what;
  };
  Json json;
  if (wanted("formats")) json["formats"] = formats();
  if (wanted("precisions")) json["precisions"] = precisions();
  if (wanted("ops")) json["ops"] = ops();
  if (options.json)
    return print_result((options.what.empty() ? json : json[options.what]).dump(1) + "\n");
  std::string text;
  if (wanted("formats")) text += names_text("formats", json["formats"]);
  if (wanted("precisions")) text += names_text("precisions", json["precisions"]);
  if (wanted("ops")) {
    text +=
        names_text(fmt::format("operators (ai.onnx, opsets {} to {})", kOldestOpset, kNewestOpset),
                   of_domain(json["ops"], "ai.onnx"));
    text += names_text("operators of com.microsoft", of_domain(json["ops"], "com.microsoft"));
  }
  return print_result(text);
}

}  // namespace subbyte
