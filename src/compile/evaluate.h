// A converted module against its source: what quantization did to the outputs, where in the model
// it first goes wrong, and what it costs a task.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/executor.h"
#include "compile/compile.h"
#include "compile/task_metrics.h"
#include "compile/weight_histograms.h"
#include "samples/bootstrap.h"
#include "samples/output_loss.h"

namespace subbyte {

// The outputs of the module itself on samples, wherever it is run.
using ModuleRunner = std::function<Expected<std::vector<std::vector<Tensor>>>(
    const Model& model, std::span<const Sample> samples)>;

struct EvaluateOptions {
  // Names of task_metrics.h, each alone or as METRIC:OUTPUT; alone it takes the first output of
  // floats.
  std::vector<std::string> metrics{};
  // Runs the module. Nothing: the executor, with the module's weights in place of the source's,
  // which also tells the error of each layer.
  ModuleRunner runner{};
  // As it was converted: what was fixed, and whether activations are rounded (CompileOptions).
  Fixed fixed{};
  bool rounds_activations = true;
  // What to run on, as load_judging_data() reads it; "": inputs that are made up, which no
  // conversion tunes on.
  std::string data{};
  std::size_t histograms = 0;  // of how many weights
};

struct OutputFigures {
  std::string name;
  OutputContent content{};
  OutputLoss loss{};
  double sqnr_db = 0;
  // Of language models: of the ids that were put in.
  std::optional<double> source_perplexity{}, module_perplexity{};
  Interval perplexity_difference{};
};

// What one node that reads a weight of the module computes, in the order of the graph.
struct LayerFigures {
  std::string node, op, weight, component;
  std::optional<int> layer;
  int bits = 0;
  std::int64_t bytes = 0;
  double relative_l2 = 0, sqnr_db = 0;
};

struct WeightFigures {
  std::string name, component, reason;  // why it is stored wider than asked, or ""
  std::optional<int> layer{};
  int bits = 0;
  std::int64_t bytes = 0;
};

struct Evaluation {
  std::string module, source, precision;
  std::int64_t bytes = 0, source_bytes = 0;
  double bits_per_weight = 0;
  std::size_t samples = 0;
  std::string samples_are{};
  std::string runtime{};  // "executor", or what the runner is called
  std::vector<OutputFigures> outputs;
  std::vector<LayerFigures> layers;          // empty with a runner
  std::optional<std::size_t> first_wrong{};  // of `layers`: the first whose error passes kWrong
  std::vector<TaskFigure> tasks;
  std::vector<WeightFigures> weights;       // all that the module stores
  std::vector<WeightHistogram> histograms;  // of those that lose most
};

// The relative L2 error of a layer's output that is called wrong.
inline constexpr double kWrong = 0.1;

// `module` is the path of the module or of its manifest. Errors: a file that is no whole module, a
// source that the module was not made from, weights that the source has not, samples that do not
// fit, metrics that do not.
Expected<Evaluation> evaluate_module(FileSystem& files, const std::string& module,
                                     const Source& source, const EvaluateOptions& options,
                                     Observer& observer);

}  // namespace subbyte
