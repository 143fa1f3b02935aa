#include "cli/conversion.h"

#include <fmt/format.h>

#include <set>

#include "base/text.h"
#include "quantize/mixed.h"

namespace subbyte {

namespace {

// "NAME=VALUE": VALUE has no "=", so the last one parts them.
Expected<std::pair<std::string, std::string>> named_value(const char* option,
                                                          const std::string& text,
                                                          std::set<std::string>& seen) {
  const std::size_t at = text.rfind('=');
  if (at == std::string::npos || at == 0 || at + 1 == text.size())
    return fail_as(ErrorKind::usage, "{} {}: write a name, = and a value", option, quoted(text));
  std::string name = text.substr(0, at);
  if (!seen.insert(name).second)
    return fail_as(ErrorKind::usage, "{} {}: it is {} twice", option, quoted(name),
                   option == std::string_view("--rename") ? "renamed" : "fixed");
  return std::pair(std::move(name), text.substr(at + 1));
}

}  // namespace

std::string meant_precision(FileSystem& files, const ConvertOptions& options) {
  if (!options.precision.empty()) return options.precision;
  const WidthOptions& widths = options.widths;
  if (!widths.target_size.empty() || !widths.target_bits.empty() || !widths.max_loss.empty())
    return "mixed";
  if (options.mixed_config.empty()) return "8bit";
  // What is wrong with the file is told when it is read for its rules.
  const auto content = files.map(options.mixed_config);
  if (!content) return "8bit";
  const Bytes bytes = (*content)->bytes();
  return precision_of_rules({reinterpret_cast<const char*>(bytes.data()), bytes.size()})
      .value_or("8bit");
}

Expected<void> check_choosing(const ConvertOptions& options) {
  if (options.activations == "int8") {
    return fail_as(ErrorKind::usage,
                   "--activations int8: subbyte rounds no activations of its own; 'model' computes "
                   "what the model rounds, 'float32' leaves its roundings out");
  }
  if (options.calibration == "none" && !options.effort.empty()) {
    return fail_as(ErrorKind::usage,
                   "--effort {}: with --calibration none there is no work to do; leave one of the "
                   "two out",
                   options.effort);
  }
  if (options.calibration == "none" && !options.checkpoint.empty()) {
    return fail_as(
        ErrorKind::usage,
        "--checkpoint {}: with --calibration none there is no work to keep; leave one of "
        "the two out",
        quoted(options.checkpoint));
  }
  SUBBYTE_TRY(const WidthGoal goal, parse_goal(options.widths, options.precision));
  if (goal.loss && options.calibration == "none") {
    return fail_as(ErrorKind::usage,
                   "--max-loss: with --calibration none nothing is run that would tell what is "
                   "lost; leave one of the two out");
  }
  return {};
}

bool gives_samples(const ConvertOptions& options) {
  return !options.calibration.empty() && options.calibration != "none";
}

Expected<std::unique_ptr<CheckpointStore>> open_checkpoint(FileSystem& files,
                                                           const std::string& folder,
                                                           MadeFolders& made) {
  std::unique_ptr<CheckpointStore> none;
  if (folder.empty()) return none;
  SUBBYTE_CHECK_OK(made.make("--checkpoint", folder));
  if (!files.status(folder + "/a file").may_create) {
    return fail_as(ErrorKind::io, "--checkpoint {}: no file can be made in this folder",
                   quoted(folder));
  }
  return checkpoint_folder(files, folder);
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

Expected<CompileOptions> compile_options(FileSystem& files, const ConvertOptions& options) {
  CompileOptions result;
  result.target = options.target_format == "onnx" ? Target::onnx : Target::webgpu;
  result.precision = options.precision;
  SUBBYTE_TRY(result.goal, parse_goal(options.widths, options.precision));
  result.rounds_activations = options.activations == "model";
  result.model_type = options.model_type;
  result.single_file = options.single_file;
  result.quantized_nodes = options.quantized_nodes;
  result.shard_bytes = options.shard_bytes;
  result.check = options.check;
  result.study = !options.report.empty();
  if (gives_samples(options)) result.samples = options.calibration;
  result.check_whatever_size = options.check_whatever_size;
  result.calibration = effort_from_name(options.effort.empty() ? "good" : options.effort);
  if (options.calibration == "none") result.calibration.reset();
  SUBBYTE_TRY(result.fixed, parse_fixed(options.dims, options.inputs, options.renames));
  if (options.mixed_config.empty()) return result;
  auto mapped = files.map(options.mixed_config);
  if (!mapped) return within("--mixed-precision-config", std::move(mapped.error()));
  const auto content = std::move(*mapped);
  const Bytes bytes = content->bytes();
  result.mixed_rules.emplace(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  result.mixed_rules_name =
      fmt::format("--mixed-precision-config {}", quoted(options.mixed_config));
  return result;
}

Expected<Fixed> parse_fixed(const std::vector<std::string>& dims,
                            const std::vector<std::string>& inputs,
                            const std::vector<std::string>& renames) {
  // No axis is longer than this (docs/plan.md).
  constexpr std::int64_t kMostSize = (std::int64_t{1} << 30) - 1;
  Fixed fixed;
  std::set<std::string> seen_dims, seen_inputs, seen_ports;
  for (const std::string& text : dims) {
    SUBBYTE_TRY(auto dim, named_value("--dim", text, seen_dims));
    const std::string& digits = dim.second;
    const bool is_number =
        digits.size() <= 10 && digits.find_first_not_of("0123456789") == std::string::npos;
    const std::int64_t size = is_number ? std::stoll(digits) : -1;
    if (size < 0 || size > kMostSize) {
      return fail_as(ErrorKind::usage, "--dim {}: {} is no size; it must be from 0 to {}",
                     quoted(dim.first), quoted(digits), kMostSize);
    }
    fixed.dims.emplace_back(std::move(dim.first), size);
  }
  for (const std::string& text : inputs) {
    SUBBYTE_TRY(auto input, named_value("--input", text, seen_inputs));
    fixed.inputs.push_back(std::move(input));
  }
  for (const std::string& text : renames) {
    SUBBYTE_TRY(auto rename, named_value("--rename", text, seen_ports));
    fixed.renames.push_back(std::move(rename));
  }
  return fixed;
}

}  // namespace subbyte
