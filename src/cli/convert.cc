// `subbyte convert`: the pipeline from a model's file to a module's.
#include <fmt/core.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "base/text.h"
#include "cli/verbs.h"
#include "cli/weights.h"
#include "compile/file_claims.h"
#include "emit/check.h"
#include "emit/manifest.h"
#include "emit/module.h"
#include "emit/onnx/onnx.h"
#include "emit/output_files.h"
#include "graph/infer.h"
#include "graph/text.h"
#include "import/onnx.h"
#include "passes/passes.h"
#include "plan/lower.h"

namespace subbyte {

namespace {

std::string default_output(const ConvertOptions& options) {
  std::filesystem::path path(options.source);
  const std::string name = path.stem().string();
  const bool webgpu = options.target_format == "webgpu";
  return (path.parent_path() /
          (webgpu ? name + ".webgpu.js" : fmt::format("{}.{}.onnx", name, options.precision)))
      .string();
}

Expected<void> check_replaceable_log(FileSystem& files, const std::string& path, bool force) {
  if (path.empty() || force || files.status(path).kind != FileStatus::Kind::regular) return {};
  SUBBYTE_TRY(const auto content, files.map(path));
  const Bytes bytes = content->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with(kLogMark)) return {};
  return fail_as(ErrorKind::io,
                 "--log-file {}: a file that is no log of subbyte is there; name another, or pass "
                 "--force to replace it",
                 quoted(path));
}

// Fails where a file would be written that another option names.
Expected<void> claim_files(FileClaims& claims, const ConvertOptions& options,
                           const std::string& output) {
  SUBBYTE_CHECK_OK(claims.reads(options.source, "the source itself"));
  if (!options.mixed_config.empty()) {
    SUBBYTE_CHECK_OK(claims.reads(options.mixed_config, "the file of --mixed-precision-config"));
  }
  const bool onnx = options.target_format == "onnx";
  if (!onnx && !output.ends_with(".js") && !output.ends_with(".mjs")) {
    return fail_as(ErrorKind::usage, "--output {}: a module's name ends in .js, best in .webgpu.js",
                   quoted(output));
  }
  SUBBYTE_CHECK_OK(onnx ? claim_onnx(claims, output) : claim_module(claims, output));
  if (options.log_file.empty()) return {};
  return claims.writes("--log-file", options.log_file, "the log", true);
}

// Fails where a file would be replaced that subbyte did not write.
Expected<void> check_replaced_files(FileSystem& files, const ConvertOptions& options,
                                    const std::string& output) {
  SUBBYTE_CHECK_OK(options.target_format == "onnx"
                       ? check_replaceable_onnx(files, output, options.force)
                       : check_replaceable(files, output, options.force));
  return check_replaceable_log(files, options.log_file, options.force);
}

// The model, with every check of the files around it done before the first of them, the log, is
// opened for writing.
Expected<Model> read_source(FileSystem& files, const ConvertOptions& options,
                            const std::string& output, Log& log) {
  FileClaims claims(files);
  SUBBYTE_CHECK_OK(claim_files(claims, options, output));
  const bool logs = !options.log_file.empty();
  if (logs) log.keep();
  log.say(LogLevel::info, fmt::format("reading {}", quoted(options.source)));
  auto model = read_onnx(files, options.source);
  if (!model) {
    // Which other files belong to the source is not known, so nothing but a log makes way for one.
    if (logs && check_replaceable_log(files, options.log_file, false))
      SUBBYTE_CHECK_OK(log.write_to(options.log_file));
    return model;
  }
  for (const std::string& path : model->data_files)
    SUBBYTE_CHECK_OK(claims.reads(path, "the source's own data"));
  SUBBYTE_CHECK_OK(check_replaced_files(files, options, output));
  if (logs) SUBBYTE_CHECK_OK(log.write_to(options.log_file));
  return model;
}

Expected<SourceFile> source_file(FileSystem& files, const std::string& path) {
  SUBBYTE_TRY(const auto content, files.map(path));
  const Bytes bytes = content->bytes();
  return SourceFile{base_name_of(path), static_cast<std::int64_t>(bytes.size()), sha256(bytes)};
}

PassObserver dump_to(Log& log) {
  return [&log](const Pass& pass, const Model& model) {
    log.say(LogLevel::debug,
            fmt::format("after {} ({}):\n{}", pass.name, pass.establishes, to_text(model)));
  };
}

// The model in standard operators, every shape known.
Expected<Model> standard_model(Model model, const std::string& path, Log& log) {
  log.say(LogLevel::debug, to_text(model));
  SUBBYTE_CHECK_OK(check_supported(model));
  if (auto done = run_passes(model, standard_passes(), dump_to(log)); !done) {
    return within(quoted(path), std::move(done.error()));
  }
  return model;
}

void report_check(const Check& check, const std::string& precision, Log& log) {
  if (!check.skipped.empty()) {
    log.say(LogLevel::info, fmt::format("accuracy was not checked: {}", check.skipped));
    return;
  }
  for (const auto& output : check.outputs) {
    log.say(LogLevel::debug, fmt::format("output {}: relative L2 error {:.3g}", quoted(output.name),
                                         output.relative_l2));
    if (output.relative_l2 <= kRuinous) continue;
    const bool eight = precision == "8bit" || precision == "int8";
    log.say(LogLevel::warning,
            fmt::format("{} ruins this model: output {} is off by {:.0f} % (relative L2 error, on "
                        "seeded inputs); "
                        "convert with more bits, such as --precision {}",
                        precision, quoted(output.name), output.relative_l2 * 100,
                        eight ? "float16" : "8bit"));
  }
}

Expected<void> emit_onnx(FileSystem& files, const Model& model, const WeightPlan& weights,
                         const std::string& output, bool force) {
  const WeightSource decoded = [&](ValueId v) -> Expected<Tensor> {
    if (const auto it = weights.stored.find(v); it != weights.stored.end())
      return decoded_weight(model, it->second);
    return *model.main().values[v].constant;
  };
  return write_onnx(files, output, model, decoded, kLargestProtobuf, force);
}

Expected<void> emit_webgpu(FileSystem& files, const ConvertOptions& options,
                           const std::string& output, Model model, WeightPlan weights,
                           SourceFile source, Log& log) {
  ManifestFacts facts{options.precision,
                      options.model_type.empty() ? weights.model_type : options.model_type,
                      std::move(source),
                      std::move(weights.uses),
                      std::move(weights.assignments),
                      std::nullopt};
  if (options.check) {
    std::vector<StoredWeight> stored;
    for (const auto& [value, weight] : weights.stored) stored.push_back(weight);
    SUBBYTE_TRY(facts.check, check_quantization(model, stored));
    report_check(*facts.check, options.precision, log);
  }
  SUBBYTE_CHECK_OK(run_passes(model, fusion_passes(), dump_to(log)));
  SUBBYTE_TRY(const Plan plan, lower(model, weights.stored));
  log.say(LogLevel::debug,
          fmt::format("{} dispatches, {} pipelines", plan.steps.size(), plan.pipelines.size()));

  const auto progress = [&](std::size_t done, std::size_t count) {
    log.progress("quantizing", done, count);
  };
  remove_abandoned(files, output);
  DiskSink disk_sink(files, output_stem(output));
  MemorySink memory_sink;
  WeightsSink& sink = options.single_file ? static_cast<WeightsSink&>(memory_sink) : disk_sink;
  SUBBYTE_TRY(const PackedWeights packed,
              write_weights(model, plan, options.shard_bytes, sink, progress));

  TextFiles text;
  text.module = module_text(model, plan, packed, memory_sink.base64());
  text.types = typescript_types(model);
  const auto manifest = manifest_json(model, plan, packed, facts);
  text.manifest = manifest.dump(1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
  SUBBYTE_CHECK_OK(write_module_files(files, output, text, disk_sink.take(), options.force));
  const auto& totals = manifest["totals"];
  fmt::print("{}: {} of weights, {:.2f} bits a weight ({} before)\n", quoted(output),
             bytes_text(totals["bytes"].get<std::int64_t>()),
             totals["bits_per_weight"].get<double>(), bytes_text(facts.source.bytes));
  return {};
}

Expected<WeightPlan> weights_of(FileSystem& files, const Model& model,
                                const ConvertOptions& options) {
  if (options.mixed_config.empty()) return plan_weights(model, options.precision, "");
  SUBBYTE_TRY(const auto content, files.map(options.mixed_config));
  const Bytes bytes = content->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto plan = plan_weights(model, options.precision, text.empty() ? " " : text);
  if (!plan)
    return within(fmt::format("--mixed-precision-config {}", quoted(options.mixed_config)),
                  plan.error());
  return plan;
}

}  // namespace

Expected<void> convert(FileSystem& files, const ConvertOptions& options, Log& log) {
  const std::string output = options.output.empty() ? default_output(options) : options.output;
  SUBBYTE_TRY(Model imported, read_source(files, options, output, log));
  SUBBYTE_TRY(Model model, standard_model(std::move(imported), options.source, log));
  SUBBYTE_TRY(WeightPlan weights, weights_of(files, model, options));
  for (const auto& note : weights.notes) log.say(LogLevel::debug, note);
  if (options.target_format == "onnx") {
    SUBBYTE_CHECK_OK(emit_onnx(files, model, weights, output, options.force));
    fmt::print("{}: written\n", quoted(output));
    return {};
  }
  SUBBYTE_TRY(SourceFile source, source_file(files, options.source));
  return emit_webgpu(files, options, output, std::move(model), std::move(weights),
                     std::move(source), log);
}

}  // namespace subbyte
