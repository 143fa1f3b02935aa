// `subbyte quantize`: the widths that convert would choose, as a file that it takes.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/conversion.h"
#include "cli/log_observer.h"
#include "cli/report.h"
#include "cli/standard_streams.h"
#include "compile/file_claims.h"
#include "compile/precision_file.h"

namespace subbyte {

namespace {

std::string default_output(const ConvertOptions& options) {
  const std::filesystem::path path(options.sources.front());
  return (path.parent_path() / fmt::format("{}.{}.json", path.stem().string(), options.precision))
      .string();
}

Expected<void> check_replaceable(FileSystem& files, const std::string& path, bool force) {
  if (force || files.status(path).kind != FileStatus::Kind::regular) return {};
  SUBBYTE_TRY(const auto content, files.map(path));
  if (is_precision_file(content->bytes())) return {};
  return fail_as(ErrorKind::io,
                 "--output {}: a file that subbyte quantize did not write is there; name another, "
                 "or pass --force to replace it",
                 quoted(path));
}

// The last that is checked before anything is opened for writing, and then the log, which is the
// first. Of a source that cannot be read nobody knows which files are its own: nothing but a log
// makes way for one.
Expected<void> before_writing(FileSystem& files, const ConvertOptions& options,
                              const std::string& output, FileClaims& claims,
                              const Expected<Model>& model, Log& log) {
  if (model) {
    for (const std::string& path : model->data_files)
      SUBBYTE_CHECK_OK(claims.reads(path, "the source's own data"));
    SUBBYTE_CHECK_OK(check_replaceable(files, output, options.force));
    SUBBYTE_CHECK_OK(check_replaceable_report(files, options.report,
                                              options.force ? Force::given : Force::left_out));
    SUBBYTE_CHECK_OK(check_replaceable_log(files, options.log_file, options.force));
  } else if (!check_replaceable_log(files, options.log_file, false)) {
    return {};
  }
  if (options.log_file.empty()) return {};
  return log.write_to(options.log_file);
}

// "12 weights at 4bit, 3 at 8bit".
std::string summary(const std::string& text) {
  std::map<std::string, int> counts;
  const auto file = nlohmann::json::parse(text);
  for (const auto& [name, entry] : file["tensors"].items())
    ++counts[entry["precision"].get<std::string>()];
  std::string words;
  for (const auto& [precision, count] : counts)
    words += fmt::format("{}{} at {}", words.empty() ? "" : ", ", count, precision);
  return words.empty() ? "no weights to choose for" : "weights: " + words;
}

Expected<void> write_study(FileSystem& files, const ConvertOptions& options,
                           const std::string& output, const Study& study) {
  const double bits = static_cast<double>(study.bytes) * 8 /
                      static_cast<double>(std::max<std::int64_t>(study.parameters, 1));
  const std::optional<Check> unchecked;
  const ReportedConversion told{"quantize",   options.sources.front(),
                                output,       asked_widths(options),
                                std::nullopt, study.bytes,
                                bits,         unchecked,
                                study};
  return write_report(files, options.report, report_json(told));
}

}  // namespace

Expected<void> quantize(FileSystem& files, ConvertOptions options, Log& log) {
  if (options.precision.empty()) options.precision = "mixed";
  SUBBYTE_CHECK_OK(check_choosing(options));
  SUBBYTE_CHECK_OK(parse_fixed(options.dims, options.inputs, options.renames));
  const std::string output = options.output.empty() ? default_output(options) : options.output;
  if (!output.ends_with(".json")) {
    return fail_as(ErrorKind::usage, "--output {}: a mixed-precision file's name ends in .json",
                   quoted(output));
  }
  FileClaims claims(files);
  SUBBYTE_CHECK_OK(claims.reads(options.sources.front(), "the source itself"));
  if (gives_samples(options)) {
    SUBBYTE_CHECK_OK(claims.reads_samples("--calibration", options.calibration));
  }
  SUBBYTE_CHECK_OK(claims.writes("--output", output, "the mixed-precision file"));
  SUBBYTE_CHECK_OK(claim_report(claims, options.report));
  if (!options.log_file.empty()) {
    SUBBYTE_CHECK_OK(claims.writes("--log-file", options.log_file, "the log", true));
    log.keep();
  }
  log.say(LogLevel::info, fmt::format("reading {}", quoted(options.sources.front())));
  LogObserver observer(log);
  auto opened = open_source(files, options.sources.front());
  Expected<Model> read = opened ? read_model(*opened, observer)
                                : Expected<Model>(tl::unexpected<Error>(opened.error()));
  SUBBYTE_CHECK_OK(before_writing(files, options, output, claims, read, log));
  SUBBYTE_TRY(const Source source, std::move(opened));
  SUBBYTE_TRY(Model model, std::move(read));
  SUBBYTE_TRY(CompileOptions choosing, compile_options(files, options));
  MadeFolders folders;
  SUBBYTE_TRY(const auto checkpoint, open_checkpoint(files, options.checkpoint, folders));
  choosing.checkpoint = checkpoint.get();
  SUBBYTE_TRY(const ChosenPrecisions chosen,
              choose_precisions(source, std::move(model), choosing, observer));
  SUBBYTE_TRY(const auto writer, files.create(output));
  SUBBYTE_CHECK_OK(writer->write(std::as_bytes(std::span(chosen.file))));
  SUBBYTE_CHECK_OK(writer->commit());
  if (chosen.study) SUBBYTE_CHECK_OK(write_study(files, options, output, *chosen.study));
  log.clear();
  return print_result(fmt::format("{}: {}\n", quoted(output), summary(chosen.file)));
}

}  // namespace subbyte
