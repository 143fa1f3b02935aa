// What quantization does to the output of each node that reads a weight: the float run's outputs
// are kept, and the quantized run's compared with them.
#pragma once

#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "calibrate/executor.h"
#include "compile/compare_outputs.h"
#include "compile/evaluate.h"
#include "compile/module_weights.h"

namespace subbyte {

class LayerErrors {
 public:
  using Observe = decltype(ExecuteOptions::observe);
  LayerErrors(const Graph& graph, const std::unordered_map<ValueId, const ModuleWeight*>& weights);

  // For ExecuteOptions.observe, of the float run and then of the quantized one on the same sample.
  Observe keep();
  Observe compare();
  // What no node reads is seen only in the outputs of the run.
  void keep_outputs(std::span<const Tensor> outputs);
  void compare_outputs(std::span<const Tensor> outputs);

  // Of all samples, in the order of the graph.
  std::vector<LayerFigures> figures() const;

 private:
  struct Layer {
    NodeId node = kNone;
    const ModuleWeight* weight = nullptr;
    ValueId output = kNone;
    SquaredError error{};
  };
  template <typename See>
  Observe at_places(See see);

  const Graph& graph_;
  std::vector<Layer> layers_;
  // Of each node, the layers whose output it is the first to read, and as which input.
  std::unordered_map<NodeId, std::vector<std::pair<std::size_t, std::size_t>>> read_at_;
  std::vector<std::pair<std::size_t, std::size_t>> given_as_;  // layer, output of the model
  std::vector<Tensor> kept_;                                   // of each layer
};

}  // namespace subbyte
