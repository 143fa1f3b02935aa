#include "compile/describe_module.h"

#include <algorithm>
#include <stdexcept>

#include "base/text.h"
#include "compile/plan_sizes.h"
#include "emit/manifest.h"
#include "emit/output_files.h"

namespace subbyte {

namespace {

using Json = PlanSizes::Json;

// Whether a device runs the step: some form that fits the sizes has work.
bool is_dispatched(const Json& step, const PlanSizes& sizes) {
  for (const Json& form : step.at("forms")) {
    const bool fits =
        !form.contains("when") || sizes.value(form["when"].get<std::size_t>()).value_or(0) != 0;
    // Workgroups that depend on the rows of a chunk are not known, and not 0.
    if (fits) return sizes.value(form.at("workgroups").get<std::size_t>()).value_or(1) != 0;
  }
  return false;
}

// The steps of segments that run when the module is loaded, which stand first in the plan.
std::size_t steps_at_load(const Json& plan) {
  std::size_t steps = 0;
  if (!plan.contains("segments")) return 0;
  for (const Json& segment : plan["segments"]) {
    if (!segment.value("once", false)) break;
    steps += segment.value("steps", std::size_t{0});
  }
  return steps;
}

// The bytes of what lives at the same time, at most.
std::int64_t peak_bytes(const Json& plan, const PlanSizes& sizes) {
  constexpr std::int64_t kAlignment = 256;  // of a binding
  const auto steps = static_cast<std::int64_t>(plan.at("steps").size());
  std::vector<std::int64_t> change(static_cast<std::size_t>(steps) + 3);
  const auto at = [&](std::int64_t step) -> std::int64_t& {
    return change[static_cast<std::size_t>(std::clamp<std::int64_t>(step, -1, steps + 1) + 1)];
  };
  for (const Json& tensor : plan.at("tensors")) {
    const std::int64_t count = sizes.value(tensor.at("count").get<std::size_t>()).value_or(0);
    const std::int64_t width = tensor.value("width", std::int64_t{4});
    if (count < 0 || count > (std::int64_t{1} << 40) || width < 1 || width > 8) continue;
    const std::int64_t bytes = (count * width + kAlignment - 1) / kAlignment * kAlignment;
    at(tensor.at("first").get<std::int64_t>()) += bytes;
    at(std::clamp<std::int64_t>(tensor.at("last").get<std::int64_t>(), -1, steps) + 1) -= bytes;
  }
  std::int64_t now = 0, most = 0;
  for (const std::int64_t step : change) most = std::max(most, now += step);
  return most;
}

Expected<RunFacts> run_facts(std::string_view module,
                             std::span<const std::pair<std::string, std::int64_t>> dims) {
  constexpr std::string_view kBefore = "const plan = ";
  const std::size_t at = module.find(kBefore);
  if (at == std::string_view::npos) return fail("it holds no plan; convert the model again");
  // A line of its own (emit/module.cc).
  std::string_view text = module.substr(at + kBefore.size());
  text = text.substr(0, text.find(";\n"));
  const Json plan = Json::parse(text);
  SUBBYTE_TRY(const PlanSizes sizes, PlanSizes::evaluate(plan, dims));
  RunFacts facts{sizes.sizes(), 0, peak_bytes(plan, sizes)};
  const Json& steps = plan.at("steps");
  for (std::size_t i = steps_at_load(plan); i < steps.size(); ++i)
    facts.dispatches += is_dispatched(steps[i], sizes) ? 1 : 0;
  return facts;
}

Expected<nlohmann::ordered_json> read_manifest(FileSystem& files, const std::string& path) {
  SUBBYTE_TRY(const auto content, files.map(path));
  auto manifest = nlohmann::ordered_json::parse(text_of(content->bytes()), nullptr, false);
  if (!manifest.is_object() || !manifest.contains("subbyte"))
    return fail("{} is not a manifest of subbyte", quoted(base_name_of(path)));
  const auto format = manifest.at("format").get<int>();
  if (format <= kManifestFormat) return manifest;
  return fail(
      "format {} of the manifest is newer than this subbyte reads, which is {}; use the version "
      "that wrote it ({})",
      format, kManifestFormat, quoted(manifest.at("subbyte").get<std::string>()));
}

Expected<ModuleFacts> describe(FileSystem& files, const std::string& path,
                               std::span<const std::pair<std::string, std::int64_t>> dims) {
  const bool is_manifest = path.ends_with(".json");
  const std::string stem = output_stem(path);
  ModuleFacts facts;
  SUBBYTE_TRY(facts.manifest, read_manifest(files, is_manifest ? path : stem + ".json"));
  const auto name = facts.manifest.at("module").at("name").get<std::string>();
  const std::string module = is_manifest ? stem + (name.ends_with(".mjs") ? ".mjs" : ".js") : path;
  if (!files.exists(module)) return facts;
  SUBBYTE_TRY(const auto content, files.map(module));
  SUBBYTE_TRY(facts.run, run_facts(text_of(content->bytes()), dims));
  return facts;
}

}  // namespace

Expected<ModuleFacts> describe_module(FileSystem& files, const std::string& path,
                                      std::span<const std::pair<std::string, std::int64_t>> dims) {
  try {
    auto facts = describe(files, path, dims);
    if (facts || facts.error().kind == ErrorKind::usage) return facts;
    return within(quoted(path), std::move(facts.error()));
  } catch (const nlohmann::json::exception& error) {
    return fail("{}: it is damaged ({}); convert the model again", quoted(path),
                quoted(error.what()));
  }
}

}  // namespace subbyte
