#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "embedded/module_types.h"
#include "emit/manifest.h"
#include "emit/module.h"
#include "emit/version.h"
#include "plan/plan_json.h"

namespace subbyte {

namespace {

// readonly [{ readonly name: "x"; readonly dtype: "float32"; readonly dims: readonly ["batch", 384]
// }]
// `ranges`: by port, the values that it takes where it does not take all of its dtype.
std::string port_types(const Model& model, const std::vector<ValueId>& values,
                       const std::vector<std::optional<InputRange>>& ranges) {
  std::string text = "readonly [\n";
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Value& value = model.main().values[values[i]];
    if (i < ranges.size() && ranges[i]) {
      text += fmt::format("  /** Values from {} to {}. */\n", ranges[i]->least, ranges[i]->most);
    }
    std::string dims;
    for (const auto& dim : dims_json(model, *value.shape)) {
      if (!dims.empty()) dims += ", ";
      dims += dim.is_string() ? js_string(dim.get<std::string>()) : dim.dump();
    }
    text += fmt::format("  TensorInfo<{}, '{}', readonly [{}]>,\n",
                        js_string(valid_utf8(value.name)), dtype_name(value.dtype), dims);
  }
  return text + "]";
}

}  // namespace

std::string typescript_types(const Model& model, const Plan& plan) {
  std::vector<std::optional<InputRange>> ranges;
  for (const PlanInput& input : plan.inputs) ranges.push_back(input.range);
  std::string text = fmt::format("{}{}\n", kTypesMark, kVersion);
  text += embedded::module_types;
  text +=
      fmt::format("\nexport type Inputs = {};\n", port_types(model, model.main().inputs, ranges));
  text += fmt::format("\nexport type Outputs = {};\n", port_types(model, model.main().outputs, {}));
  text +=
      "\nexport declare function load(options?: LoadOptions): Promise<Model<Inputs, Outputs>>;\n";
  return text;
}

}  // namespace subbyte
