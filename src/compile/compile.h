// A conversion as a function: a model's bytes in, the files of a module or an ONNX file out. What
// it reads and writes goes through FileSystem, what it says through an Observer; it keeps no state,
// and neither prints nor waits for anything.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/checkpoint.h"
#include "base/error.h"
#include "base/file.h"
#include "compile/study.h"
#include "compile/width_goal.h"
#include "emit/manifest.h"
#include "emit/output_sink.h"
#include "graph/graph.h"
#include "import/fix_inputs.h"
#include "quantize/fit/fit_weights.h"

namespace subbyte {

enum class Target { webgpu, onnx };

struct CompileOptions {
  Target target = Target::webgpu;
  std::string precision = "8bit";  // a name of precision_names(), or "mixed"
  // What is asked of widths that are chosen by measuring; `precision` is "mixed" then.
  WidthGoal goal{};
  // Whether activations that the model rounds (QuantizeLinear, DynamicQuantizeLinear) are rounded,
  // or computed as the floats that they stand for.
  bool rounds_activations = true;
  // The text of a mixed-precision file, and what errors call it.
  std::optional<std::string> mixed_rules{};
  std::string mixed_rules_name = "the mixed-precision rules";
  std::string model_type{};      // for the manifest; "" for what the graph looks like
  bool single_file = false;      // the weights inside the module
  bool quantized_nodes = false;  // of ONNX: weights stay quantized where nodes hold them exactly
  std::int64_t shard_bytes = 0;  // the largest file of weights; 0: one file
  bool check = true;             // the quantized model is compared with the float one
  // Where the user's own samples are (data/load_samples.h); "": samples are made.
  std::string samples{};
  bool check_whatever_size = false;  // also one of more than kMaxCheckedParameters
  // Codes, scales and biases are chosen by running the model on made inputs; nullopt: numbers are
  // rounded as they are.
  std::optional<Effort> calibration = Effort::good;
  Fixed fixed{};  // inputs and dimensions that become constants
  // What is found by running the model is kept there, and found again instead of being worked out
  // (base/checkpoint.h).
  CheckpointStore* checkpoint = nullptr;
  bool study = false;  // what a report tells is found out and kept
};

// A model, as the bytes of its file and what lies beside it.
struct Source {
  FileSystem* files = nullptr;  // where external data are looked for
  std::string path{};           // for messages; external data lie in its folder
  Bytes bytes{};
  std::shared_ptr<const void> owner{};  // keeps the bytes
};
// The file at `path`, mapped.
Expected<Source> open_source(FileSystem& files, const std::string& path);

// Where the result goes: files called after `name` ("NAME.webgpu.js", or that of one ONNX file),
// which appear together when all are whole. ModuleSink and OnnxSink put them into a folder; their
// caller has checked that they may be written (file_claims.h, check_replaceable()).
struct Output {
  OutputSink* sink = nullptr;
  std::string name{};
};

// What a conversion tells while it runs. Every function may be left as it is.
class Observer {
 public:
  virtual ~Observer() = default;
  // A step of the conversion begins: "reading", "passes", "weights", "measuring", "calibrating",
  // "tuning", "checking", "fusion", "lowering", "packing", "writing".
  virtual void stage(std::string_view) {}
  // `done` of `count` pieces of the stage, from 1.
  virtual void progress(std::string_view, std::size_t /*done*/, std::size_t /*count*/) {}
  // The same counted in bytes, for what is read or written.
  virtual void progress_bytes(std::string_view, std::int64_t /*done*/, std::int64_t /*count*/) {}
  // What the user should know although the conversion goes on.
  virtual void warning(const std::string&) {}
  virtual void note(const std::string&) {}
  // For who looks into the conversion itself; the text is made only where it is wanted.
  virtual bool wants_details() const { return false; }
  virtual void detail(const std::string&) {}
  // Asked between two pieces of work: where it is true the conversion ends with an error of the
  // kind `cancelled`, and leaves nothing.
  virtual bool cancelled() const { return false; }
};

struct CompileResult {
  std::int64_t source_bytes = 0;  // of the model's file and of those that its weights lie in
  // Of a module: the weights as they are stored, metadata counted. Of ONNX: the files.
  std::int64_t bytes = 0, parameters = 0;
  double bits_per_weight = 0;
  // Of ONNX with quantized nodes: what they hold in more bits or not at all, as phrases; "" where
  // there is nothing.
  std::string in_nodes{};
  std::optional<Check> check{};
  std::optional<Study> study{};  // where it was asked for
};

struct ChosenPrecisions {
  std::string file;              // a mixed-precision file (precision_file.h)
  std::optional<Study> study{};  // where it was asked for
};

// The first half, apart for callers that must know which files the model lies in (Model.data_files)
// before anything is written.
Expected<Model> read_model(const Source& source, Observer& observer);
Expected<CompileResult> compile(const Source& source, Model model, const CompileOptions& options,
                                const Output& output, Observer& observer);
// The widths that such a conversion would choose, as a file with which it gives the same bytes;
// nothing is written.
Expected<ChosenPrecisions> choose_precisions(const Source& source, Model model,
                                             const CompileOptions& options, Observer& observer);
// Both.
Expected<CompileResult> compile(const Source& source, const CompileOptions& options,
                                const Output& output, Observer& observer);

}  // namespace subbyte
