// The weights that quantization changes most, and how their values lie.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "compile/module_weights.h"
#include "graph/graph.h"

namespace subbyte {

struct WeightHistogram {
  std::string name;
  int bits = 0;
  double sqnr_db = 0;
  // Of the source's values; how many of each model lie in each of as many equal intervals.
  float low = 0, high = 0;
  std::vector<std::int64_t> source, module;
};

// Weights of fewer elements say nothing in a histogram.
inline constexpr std::int64_t kFewestDrawn = 256;

// Of a weight as the source has it and as it is stored. An empty `source` where all its values are
// one.
WeightHistogram draw_weight(std::string name, int bits, double sqnr_db, const Tensor& source,
                            const Tensor& stored);

// Those of the lowest SQNR, the lowest first, `count` at most; of weights of kFewestDrawn elements
// or more.
std::vector<WeightHistogram> worst_weights(
    const Graph& graph, const ModuleWeights& weights,
    const std::unordered_map<ValueId, const ModuleWeight*>& stored, std::size_t count);

}  // namespace subbyte
