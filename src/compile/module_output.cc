#include "compile/module_output.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/sha256.h"
#include "emit/module.h"
#include "emit/output_files.h"
#include "emit/weights_file.h"

namespace subbyte {

Expected<CompileResult> write_module_output(
    const Model& model, const Plan& plan, WeightPlan weights, ManifestFacts facts,
    const CompileOptions& options, const Output& output, Observer& observer,
    const std::function<Expected<void>(std::string_view stage)>& begin) {
  SUBBYTE_CHECK_OK(begin("packing"));
  NamedWeights weights_files(*output.sink, output_stem(output.name));
  MemorySink memory_sink;
  WeightsSink& sink = options.single_file ? static_cast<WeightsSink&>(memory_sink) : weights_files;
  std::int64_t bytes_done = 0, bytes_in_all = 0;
  for (const StoredWeight& weight : plan.weights) bytes_in_all += stored_bytes(weight);
  const auto progress = [&](std::size_t done, std::size_t) {
    bytes_done += stored_bytes(plan.weights[done - 1]);
    observer.progress_bytes("quantizing", bytes_done, bytes_in_all);
    return !observer.cancelled();
  };
  SUBBYTE_TRY(const PackedWeights packed,
              write_weights(model, plan, options.shard_bytes, sink, progress));

  SUBBYTE_CHECK_OK(begin("writing"));
  TextFiles text;
  text.module = module_text(model, plan, packed, memory_sink.base64());
  text.types = typescript_types(model, plan);
  facts.precision = options.precision;
  facts.model_type = options.model_type.empty() ? weights.model_type : options.model_type;
  facts.uses = std::move(weights.uses);
  facts.assignments = std::move(weights.assignments);
  facts.module = {output.name, static_cast<std::int64_t>(text.module.size()),
                  sha256(std::as_bytes(std::span(text.module)))};
  const auto manifest = manifest_json(model, plan, packed, facts);
  text.manifest = manifest.dump(1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
  SUBBYTE_CHECK_OK(begin("writing"));
  SUBBYTE_CHECK_OK(write_module_files(*output.sink, output.name, text, weights_files.take()));
  const auto& totals = manifest["totals"];
  return CompileResult{.bytes = totals["bytes"].get<std::int64_t>(),
                       .parameters = totals["parameters"].get<std::int64_t>(),
                       .bits_per_weight = totals["bits_per_weight"].get<double>(),
                       .check = std::move(facts.check)};
}

}  // namespace subbyte
