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
std::string port_types(const Model& model, const std::vector<ValueId>& values) {
  std::string text = "readonly [\n";
  for (const ValueId v : values) {
    const Value& value = model.main().values[v];
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

std::string typescript_types(const Model& model) {
  std::string text = fmt::format("{}{}\n", kTypesMark, kVersion);
  text += embedded::module_types;
  text += fmt::format("\nexport type Inputs = {};\n", port_types(model, model.main().inputs));
  text += fmt::format("\nexport type Outputs = {};\n", port_types(model, model.main().outputs));
  text +=
      "\nexport declare function load(options?: LoadOptions): Promise<Model<Inputs, Outputs>>;\n";
  return text;
}

}  // namespace subbyte
