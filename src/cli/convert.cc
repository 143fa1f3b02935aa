// `subbyte convert`: its options, and the files around a conversion, for compile().
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "base/text.h"
#include "cli/conversion.h"
#include "cli/log_observer.h"
#include "cli/made_folders.h"
#include "cli/report.h"
#include "cli/standard_streams.h"
#include "cli/verbs.h"
#include "compile/check_report.h"
#include "compile/compile.h"
#include "compile/file_claims.h"
#include "emit/onnx/onnx.h"
#include "emit/output_files.h"

namespace subbyte {

namespace {

// One conversion of those that were asked for.
struct Job {
  std::string source;
  std::string output;
  Source content{};
  std::optional<Model> model{};
};

std::string default_name(const ConvertOptions& options, const std::string& source) {
  const std::string name = std::filesystem::path(source).stem().string();
  const bool webgpu = options.target_format == "webgpu";
  return webgpu ? name + ".webgpu.js" : fmt::format("{}.{}.onnx", name, options.precision);
}

bool names_folder(const std::string& output) { return output.ends_with('/'); }

std::string output_of(const ConvertOptions& options, const std::string& source) {
  if (names_folder(options.output)) return options.output + default_name(options, source);
  if (!options.output.empty()) return options.output;
  return (std::filesystem::path(source).parent_path() / default_name(options, source)).string();
}

// By what they are, not by how their paths are spelled.
Expected<void> check_different(FileSystem& files, const Job& one, const Job& other) {
  // A link at an output's place is replaced, so that only the folder is looked at.
  const auto place = [&](const Job& job) {
    return files.status(folder_of(job.output)).path + "/" + base_name_of(job.output);
  };
  if (place(one) != place(other)) return {};
  if (same_file(files.status(one.source), files.status(other.source))) {
    return fail_as(ErrorKind::usage, "{} and {} are one model; name it once", quoted(one.source),
                   quoted(other.source));
  }
  return fail_as(ErrorKind::usage, "{} and {} would both be written to {}; rename one of them",
                 quoted(one.source), quoted(other.source), quoted(one.output));
}

Expected<std::vector<Job>> list_jobs(FileSystem& files, const ConvertOptions& options) {
  const bool one_file = !options.output.empty() && !names_folder(options.output);
  if (one_file && options.sources.size() > 1) {
    return fail_as(ErrorKind::usage,
                   "--output {}: {} models are not written to one file; name a folder, with / at "
                   "its end",
                   quoted(options.output), options.sources.size());
  }
  if (!options.report.empty() && options.sources.size() > 1) {
    return fail_as(ErrorKind::usage,
                   "--report {}: a page is of one model, and {} are named; convert them one by one",
                   quoted(options.report), options.sources.size());
  }
  std::vector<Job> jobs;
  for (const std::string& source : options.sources) {
    jobs.push_back({source, output_of(options, source)});
    for (const Job& other : std::span(jobs).first(jobs.size() - 1))
      SUBBYTE_CHECK_OK(check_different(files, other, jobs.back()));
  }
  return jobs;
}

// A manifest names files as JSON does, and a model its data as Protocol Buffers do: in UTF-8.
Expected<void> check_name(const ConvertOptions& options, const Job& job) {
  const std::string name = base_name_of(job.output);
  if (valid_utf8(name) == name) return {};
  if (options.output.empty() || names_folder(options.output)) {
    return fail_as(ErrorKind::usage,
                   "{}: its output would be called {}, which is not UTF-8; name another with "
                   "--output",
                   quoted(job.source), quoted(name));
  }
  return fail_as(ErrorKind::usage, "--output {}: the name is not UTF-8; give one that is",
                 quoted(job.output));
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
  if (onnx && !output.ends_with(".onnx")) {
    return fail_as(ErrorKind::usage, "--output {}: an ONNX file's name ends in .onnx",
                   quoted(output));
  }
  if (onnx && (options.single_file || options.shard_bytes > 0)) {
    return fail_as(ErrorKind::usage,
                   "{}: this is for --target-format webgpu; an ONNX file is one file, with its "
                   "weights beside it only above 2 GB",
                   options.single_file ? "--single-file" : "--shard-size");
  }
  if (!onnx && options.quantized_nodes) {
    return fail_as(ErrorKind::usage,
                   "--qdq: this is for --target-format onnx; a module always keeps its weights "
                   "quantized");
  }
  if (options.single_file && options.shard_bytes > 0) {
    return fail_as(ErrorKind::usage,
                   "--shard-size: with --single-file there are no files of weights; leave one of "
                   "the two out");
  }
  return {};
}

// Fails where a file would be written that another option names.
Expected<void> claim_files(FileClaims& claims, const ConvertOptions& options,
                           const std::vector<Job>& jobs) {
  for (const Job& job : jobs) {
    SUBBYTE_CHECK_OK(
        claims.reads(job.source, jobs.size() == 1 ? "the source itself" : "one of the sources"));
  }
  if (!options.mixed_config.empty()) {
    SUBBYTE_CHECK_OK(claims.reads(options.mixed_config, "the file of --mixed-precision-config"));
  }
  if (gives_samples(options)) {
    SUBBYTE_CHECK_OK(claims.reads_samples("--calibration", options.calibration));
  }
  for (const Job& job : jobs) {
    SUBBYTE_CHECK_OK(options.target_format == "onnx"
                         ? claim_onnx(claims, job.output)
                         : claim_module(claims, job.output, options.single_file));
  }
  SUBBYTE_CHECK_OK(claim_report(claims, options.report));
  if (options.log_file.empty()) return {};
  return claims.writes("--log-file", options.log_file, "the log", true);
}

// Fails where a file would be replaced that subbyte did not write.
Expected<void> check_replaced_files(FileSystem& files, const ConvertOptions& options,
                                    const std::vector<Job>& jobs) {
  for (const Job& job : jobs) {
    SUBBYTE_CHECK_OK(options.target_format == "onnx"
                         ? check_replaceable_onnx(files, job.output, options.force)
                         : check_replaceable(files, job.output, options.force));
  }
  SUBBYTE_CHECK_OK(check_replaceable_report(files, options.report,
                                            options.force ? Force::given : Force::left_out));
  return check_replaceable_log(files, options.log_file, options.force);
}

// Opens and reads all sources.
Expected<void> read_sources(FileSystem& files, std::vector<Job>& jobs, Log& log,
                            Observer& observer) {
  for (Job& job : jobs) {
    log.say(LogLevel::info, fmt::format("reading {}", quoted(job.source)));
    SUBBYTE_TRY(job.content, open_source(files, job.source));
    SUBBYTE_TRY(job.model, read_model(job.content, observer));
  }
  return {};
}

// The last that is checked before anything is opened for writing, and then the log, which is the
// first.
Expected<void> before_writing(FileSystem& files, const ConvertOptions& options, FileClaims& claims,
                              const std::vector<Job>& jobs, bool are_read, Log& log) {
  for (const Job& job : jobs) {
    if (!job.model) continue;
    for (const std::string& path : job.model->data_files)
      SUBBYTE_CHECK_OK(claims.reads(path, "the source's own data"));
  }
  if (are_read) {
    SUBBYTE_CHECK_OK(check_replaced_files(files, options, jobs));
  } else if (!check_replaceable_log(files, options.log_file, false)) {
    // Which other files belong to the sources is not known, so nothing but a log makes way for one.
    return {};
  }
  if (options.log_file.empty()) return {};
  return log.write_to(options.log_file);
}

// "'m.webgpu.js': 10.4 MB of weights (69.0 MB before), 4.83 bits a weight; checked on ...; 3 s".
std::string result_line(const ConvertOptions& options, const Job& job, const CompileResult& done,
                        double seconds) {
  const bool onnx = options.target_format == "onnx";
  std::string text = fmt::format("{}: {}{} ({} before), {:.2f} bits a weight; ", quoted(job.output),
                                 bytes_text(done.bytes), onnx ? "" : " of weights",
                                 bytes_text(done.source_bytes), done.bits_per_weight);
  if (!done.in_nodes.empty()) text += done.in_nodes + "; ";
  text += done.check ? check_text(*done.check) : "not checked, as --no-check says";
  return fmt::format("{}; {:.1f} s\n", text, seconds);
}

nlohmann::ordered_json totals_json(const CompileResult& done) {
  return {{"parameters", done.parameters},
          {"bytes", done.bytes},
          {"bits_per_weight", done.bits_per_weight}};
}

Expected<CompileResult> run_job(FileSystem& files, const ConvertOptions& options,
                                const CompileOptions& compile_with, Job& job, Observer& observer) {
  ModuleSink module(files, job.output, options.force);
  OnnxSink onnx(files, job.output, options.force);
  OutputSink& sink = compile_with.target == Target::onnx ? static_cast<OutputSink&>(onnx) : module;
  Model model = std::move(*job.model);
  job.model.reset();
  return compile(job.content, std::move(model), compile_with, {&sink, base_name_of(job.output)},
                 observer);
}

}  // namespace

Expected<void> convert(FileSystem& files, ConvertOptions options, Log& log) {
  // Before it is known what else is meant: the user may have given none.
  SUBBYTE_CHECK_OK(check_choosing(options));
  options.precision = meant_precision(files, options);
  if (!options.output.empty() && !names_folder(options.output) &&
      files.status(options.output).kind == FileStatus::Kind::folder &&
      !options.output.ends_with(".js")) {
    return fail_as(ErrorKind::usage, "--output {}: this is a folder; write {} for files in it",
                   quoted(options.output), quoted(options.output + "/"));
  }
  SUBBYTE_TRY(std::vector<Job> jobs, list_jobs(files, options));
  for (const Job& job : jobs) {
    SUBBYTE_CHECK_OK(check_combination(options, job.output));
    SUBBYTE_CHECK_OK(check_name(options, job));
  }
  SUBBYTE_CHECK_OK(parse_fixed(options.dims, options.inputs, options.renames));
  MadeFolders folders;
  if (names_folder(options.output)) SUBBYTE_CHECK_OK(folders.make("--output", options.output));
  FileClaims claims(files);
  SUBBYTE_CHECK_OK(claim_files(claims, options, jobs));
  if (!options.log_file.empty()) log.keep();
  LogObserver observer(log);
  auto are_read = read_sources(files, jobs, log, observer);
  SUBBYTE_CHECK_OK(before_writing(files, options, claims, jobs, are_read.has_value(), log));
  if (!are_read) return tl::unexpected(std::move(are_read.error()));
  SUBBYTE_TRY(CompileOptions compile_with, compile_options(files, options));
  SUBBYTE_TRY(const auto checkpoint, open_checkpoint(files, options.checkpoint, folders));
  compile_with.checkpoint = checkpoint.get();
  auto totals = nlohmann::ordered_json::array();
  for (Job& job : jobs) {
    const auto begun = std::chrono::steady_clock::now();
    SUBBYTE_TRY(const CompileResult done, run_job(files, options, compile_with, job, observer));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    totals.push_back(totals_json(done));
    if (done.study) {
      const ReportedConversion told{
          "convert",         job.source, job.output,           asked_widths(options),
          done.source_bytes, done.bytes, done.bits_per_weight, done.check,
          *done.study};
      SUBBYTE_CHECK_OK(write_report(files, options.report, report_json(told)));
    }
    const std::string line = result_line(options, job, done, took.count());
    log.clear();
    if (!options.json) SUBBYTE_CHECK_OK(print_result(line));
  }
  if (!options.json) return {};
  return print_result((jobs.size() == 1 ? totals[0] : totals).dump(1) + "\n");
}

}  // namespace subbyte
