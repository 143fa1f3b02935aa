// The verbs of the program. Each takes its options and returns an error, or has printed its result.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "cli/log.h"
#include "cli/width_options.h"
#include "import/fix_inputs.h"

namespace subbyte {

struct ConvertOptions {
  std::vector<std::string> sources;      // at least one; quantize takes one
  std::string source_format;             // "" to detect it; onnx is the only one
  std::string target_format = "webgpu";  // or onnx
  std::string precision;  // "" where it is not given (meant_precision() in conversion.h)
  WidthOptions widths;    // what is chosen by measuring
  std::string activations = "model";  // or float32
  // "" for a name beside the source; with "/" at its end a folder, for the name beside the source.
  std::string output;
  std::string model_type;
  std::string mixed_config;               // path of a mixed-precision file, or ""
  std::string log_file;                   // path of the log, or ""
  std::string report;                     // path of a page to write, or ""
  std::vector<std::string> dims, inputs;  // NAME=N and NAME=VALUE that are fixed
  std::vector<std::string> renames;       // OLD=NEW, of inputs and outputs
  bool single_file = false;
  std::int64_t shard_bytes = 0;  // 0: one file
  std::string calibration;       // "" for made inputs, none, or where the user's samples are
  std::string effort;            // "" for good
  std::string checkpoint;        // a folder, or ""
  bool check = true;
  bool check_whatever_size = false;
  bool quantized_nodes = false;  // of onnx: weights stay quantized
  bool force = false;
  bool json = false;
};
// One source after the other; nothing is written before all of them are read and all files that
// would be written are known.
Expected<void> convert(FileSystem& files, ConvertOptions options, Log& log);

// The same up to the widths, which become a mixed-precision file at `output`.
Expected<void> quantize(FileSystem& files, ConvertOptions options, Log& log);

struct InspectOptions {
  std::string model;
  std::vector<std::string> dims, inputs;  // as of convert
  std::string sort;                       // of a converted module: one of sort_columns(), or ""
  bool json = false;
};
// The columns that `inspect --sort` knows.
std::vector<std::string> sort_columns();
Expected<void> inspect(FileSystem& files, const InspectOptions& options);

struct EvaluateVerbOptions {
  std::string model;                               // the module, or its manifest
  std::string source;                              // what it was converted from
  std::vector<std::string> dims, inputs, renames;  // as of convert
  std::string activations = "model";               // as of convert
  std::string data;  // a file or folder of samples, or "" for made ones
  std::vector<std::string> metrics;
  std::string runtime = "cpp";  // or node
  std::string report;           // path of a page to write, or ""
  bool json = false;
};
Expected<void> evaluate(FileSystem& files, const EvaluateVerbOptions& options, Log& log);

struct ListOptions {
  std::string what;  // formats, precisions, ops, or "" for all
  bool json = false;
};
Expected<void> list(const ListOptions& options);

struct FileOptions {
  std::string file;
  bool json = false;
};
Expected<void> detect(FileSystem& files, const FileOptions& options);
Expected<void> verify_file(FileSystem& files, const FileOptions& options);
Expected<void> find_models(FileSystem& files, const FileOptions& options);

// What --dim and --input say; text that is not NAME=N or NAME=VALUE, and a name twice, are usage
// errors.
Expected<Fixed> parse_fixed(const std::vector<std::string>& dims,
                            const std::vector<std::string>& inputs,
                            const std::vector<std::string>& renames = {});

}  // namespace subbyte
