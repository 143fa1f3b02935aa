// `subbyte list`: what the program knows.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "cli/standard_streams.h"
#include "cli/verbs.h"
#include "graph/ops.h"
#include "import/onnx.h"
#include "passes/passes.h"
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

Json names_of(const std::vector<DType>& dtypes) {
  Json names = Json::array();
  for (const DType dtype : dtypes) names.push_back(dtype_name(dtype));
  return names;
}

Json ops() {
  Json list = Json::array();
  for (std::size_t i = 0; i < op_count(); ++i) {
    const OpInfo& info = op_info(static_cast<Op>(i + 1));
    if (info.domain == "subbyte") continue;  // what others become
    const OperatorSupport support = operator_support(static_cast<Op>(i + 1));
    list.push_back({{"name", info.name},
                    {"domain", info.domain.empty() ? "ai.onnx" : info.domain},
                    {"since", info.since},
                    {"dtypes", names_of(support.dtypes)},
                    {"modes", support.modes}});
  }
  // Those with graphs inside are gone before the table is asked.
  const Json all = names_of(operator_support(Op::Identity).dtypes);
  for (const auto& [name, since] : {std::pair("If", 1), std::pair("Loop", 1), std::pair("Scan", 9)})
    list.push_back(
        {{"name", name}, {"domain", "ai.onnx"}, {"since", since}, {"dtypes", all}, {"modes", ""}});
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

// A line for each operator: since when it is there, the dtypes of its data, and its modes where not
// all are taken.
std::string operators_text(const std::string& title, const Json& list) {
  const auto all = operator_support(Op::Identity).dtypes.size();
  const auto numbers = operator_support(Op::Add).dtypes.size();
  const auto integers = operator_support(Op::BitwiseAnd).dtypes.size();
  std::string text = title + "\n";
  for (const auto& entry : list) {
    const std::size_t count = entry["dtypes"].size();
    const std::string dtypes = count == all        ? "floats, integers, bool"
                               : count == numbers  ? "floats, integers"
                               : count == integers ? "integers"
                               : count == 1        ? entry["dtypes"][0].get<std::string>()
                                                   : "floats";
    const auto modes = entry["modes"].get<std::string>();
    text +=
        fmt::format("  {:<34} {:>2}  {}{}\n", entry["name"].get<std::string>(),
                    entry["since"].get<std::int64_t>(), dtypes, modes.empty() ? "" : "; " + modes);
  }
  return text;
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
    text += operators_text(
        fmt::format("operators (ai.onnx, opsets {} to {})", kOldestOpset, kNewestOpset),
        of_domain(json["ops"], "ai.onnx"));
    for (const char* domain : {"ai.onnx.preview", "com.microsoft"})
      text +=
          operators_text(fmt::format("operators of {}", domain), of_domain(json["ops"], domain));
  }
  return print_result(text);
}

}  // namespace subbyte
