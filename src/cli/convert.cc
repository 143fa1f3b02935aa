// `subbyte convert`: its options, and the files around a conversion, for compile().
#include <fmt/format.h>

#include <filesystem>

#include "base/text.h"
#include "cli/conversion.h"
#include "cli/log_observer.h"
#include "cli/verbs.h"
#include "compile/check_report.h"
#include "compile/compile.h"
#include "compile/file_claims.h"
#include "data/load_samples.h"
#include "emit/onnx/onnx.h"
#include "emit/output_files.h"

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

// Fails where options ask for what the format has not.
Expected<void> check_combination(const ConvertOptions& options, const std::string& output) {
  const bool onnx = options.target_format == "onnx";
  const bool module_name = output.ends_with(".js") || output.ends_with(".mjs");
  if (!onnx && !module_name) {
    return fail_as(ErrorKind::usage, "--output {}: a module's name ends in .js, best in .webgpu.js",
                   quoted(output));
  }
  if (onnx && module_name) {
    return fail_as(ErrorKind::usage,
                   "--output {}: --target-format onnx writes no module; give a name that ends in "
                   ".onnx",
                   quoted(output));
  }
  if (onnx && (options.single_file || options.shard_bytes > 0)) {
    return fail_as(ErrorKind::usage,
                   "{}: this is for --target-format webgpu; an ONNX file is one file, with its "
                   "weights beside it only above 2 GB",
                   options.single_file ? "--single-file" : "--shard-size");
  }
  if (options.single_file && options.shard_bytes > 0) {
    return fail_as(ErrorKind::usage,
                   "--shard-size: with --single-file there are no files of weights; leave one of "
                   "the two out");
  }
  return {};
}

// Fails where a file would be written that another option names.
Expected<void> claim_files(FileSystem& files, FileClaims& claims, const ConvertOptions& options,
                           const std::string& output) {
  SUBBYTE_CHECK_OK(claims.reads(options.source, "the source itself"));
  if (!options.mixed_config.empty()) {
    SUBBYTE_CHECK_OK(claims.reads(options.mixed_config, "the file of --mixed-precision-config"));
  }
  if (gives_samples(options)) {
    SUBBYTE_TRY(const auto samples, sample_files(files, options.calibration));
    for (const std::string& path : samples)
      SUBBYTE_CHECK_OK(claims.reads(path, "a file of --calibration"));
  }
  SUBBYTE_CHECK_OK(options.target_format == "onnx" ? claim_onnx(claims, output)
                                                   : claim_module(claims, output));
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

// The last that is checked before anything is opened for writing, and then the log, which is the
// first.
Expected<void> before_writing(FileSystem& files, const ConvertOptions& options,
                              const std::string& output, FileClaims& claims,
                              const Expected<Model>& model, Log& log) {
  if (model) {
    for (const std::string& path : model->data_files)
      SUBBYTE_CHECK_OK(claims.reads(path, "the source's own data"));
    SUBBYTE_CHECK_OK(check_replaced_files(files, options, output));
  } else if (!check_replaceable_log(files, options.log_file, false)) {
    // Which other files belong to the source is not known, so nothing but a log makes way for one.
    return {};
  }
  if (options.log_file.empty()) return {};
  return log.write_to(options.log_file);
}

}  // namespace

Expected<void> convert(FileSystem& files, ConvertOptions options, Log& log) {
  // Before it is known what else is meant: the user may have given none.
  SUBBYTE_CHECK_OK(check_choosing(options));
  options.precision = meant_precision(files, options);
  const std::string output = options.output.empty() ? default_output(options) : options.output;
  SUBBYTE_CHECK_OK(check_combination(options, output));
  SUBBYTE_CHECK_OK(parse_fixed(options.dims, options.inputs, options.renames));
  FileClaims claims(files);
  SUBBYTE_CHECK_OK(claim_files(files, claims, options, output));
  if (!options.log_file.empty()) log.keep();
  log.say(LogLevel::info, fmt::format("reading {}", quoted(options.source)));
  LogObserver observer(log);
  const auto source = open_source(files, options.source);
  auto model = source ? read_model(*source, observer) : tl::unexpected<Error>(source.error());
  SUBBYTE_CHECK_OK(before_writing(files, options, output, claims, model, log));
  if (!model) return tl::unexpected<Error>(std::move(model.error()));
  SUBBYTE_TRY(const CompileOptions compile_with, compile_options(files, options));
  ModuleSink module(files, output, options.force);
  OnnxSink onnx(files, output, options.force);
  OutputSink& sink = compile_with.target == Target::onnx ? static_cast<OutputSink&>(onnx) : module;
  SUBBYTE_TRY(const CompileResult done, compile(*source, std::move(*model), compile_with,
                                                {&sink, base_name_of(output)}, observer));
  if (options.target_format == "onnx") {
    fmt::print("{}: written\n", quoted(output));
  } else {
    fmt::print("{}: {} of weights, {:.2f} bits a weight ({} before); {}\n", quoted(output),
               bytes_text(done.bytes), done.bits_per_weight, bytes_text(done.source_bytes),
               done.check ? check_text(*done.check) : "not checked, as --no-check says");
  }
  return {};
}

}  // namespace subbyte
