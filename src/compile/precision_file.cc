#include "compile/precision_file.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "graph/source_form.h"

namespace subbyte {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kWriter = "subbyte quantize";

std::string_view width_name(int bits) {
  switch (bits) {
    case 16:
      return "float16";
    case 8:
      return "8bit";
    case 4:
      return "4bit";
    case 3:
      return "3bit";
    default:
      return "2bit";
  }
}

}  // namespace

std::string precision_file(const Model& model, const WeightPlan& plan, std::string_view precision,
                           std::span<const std::optional<double>> losses) {
  Json tensors = Json::object();
  const auto sources = source_forms(model.main());
  for (std::size_t i = 0; i < plan.uses.size(); ++i) {
    const WeightUse& use = plan.uses[i];
    const Encoding& encoding = plan.assignments[i].encoding;
    if (!is_matrix(use.kind) || value_bits(encoding) == 32) continue;
    Json entry{{"precision", width_name(value_bits(encoding))}};
    // What keeps the codes that it arrived with has no other form.
    const auto* affine = std::get_if<AffineEncoding>(&encoding);
    const bool arrived = std::holds_alternative<CodesOfGrid>(plan.stored.at(use.value).source);
    if (affine != nullptr && !arrived) {
      entry["group"] = affine->group;
      entry["zero_point_bits"] = affine->zero_bits;
    }
    if (i < losses.size() && losses[i] && std::isfinite(*losses[i])) entry["loss"] = *losses[i];
    const SourceForm* const source = sources[use.value];
    tensors[source != nullptr ? source->name : model.main().values[use.value].name] =
        std::move(entry);
  }
  const Json file{{"model_name", valid_utf8(model.source_name)},
                  {"written_by", kWriter},
                  {"precision", precision},
                  {"tensors", tensors}};
  return file.dump(1, ' ', true, Json::error_handler_t::replace) + "\n";
}

bool is_precision_file(Bytes bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const Json file = Json::parse(text, nullptr, false);
  return file.is_object() && file.contains("written_by") && file["written_by"] == kWriter;
}

}  // namespace subbyte
