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

// Those of the lowest SQNR, the lowest first, `count` at most; of weights of more than 255
// elements.
std::vector<WeightHistogram> worst_weights(
    const Graph& graph, const ModuleWeights& weights,
    const std::unordered_map<ValueId, const ModuleWeight*>& stored, std::size_t count);

}  // namespace subbyte
