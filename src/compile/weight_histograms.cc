#include "compile/weight_histograms.h"

#include <algorithm>
#include <cmath>

#include "compile/compare_outputs.h"
#include "samples/number_tensor.h"

namespace subbyte {

namespace {

constexpr std::size_t kIntervals = 64;
constexpr std::int64_t kFewest = 256;

std::vector<std::int64_t> counts(const std::vector<float>& values, float low, float high) {
  std::vector<std::int64_t> found(kIntervals);
  for (const float value : values) {
    // What rounds beyond the source's own range is counted at its ends.
    const float at = (value - low) / (high - low) * static_cast<float>(kIntervals);
    if (std::isnan(at)) continue;
    ++found[static_cast<std::size_t>(std::clamp(at, 0.0f, static_cast<float>(kIntervals - 1)))];
  }
  return found;
}

}  // namespace

std::vector<WeightHistogram> worst_weights(
    const Graph& graph, const ModuleWeights& weights,
    const std::unordered_map<ValueId, const ModuleWeight*>& stored, std::size_t count) {
  std::vector<std::pair<double, ValueId>> worst;
  for (const auto& [value, weight] : stored) {
    if (weight->rows * weight->k < kFewest) continue;
    SquaredError error;
    error.add(*graph.values[value].constant, weights.decoded(*weight));
    if (error.error > 0 && error.size > 0) worst.emplace_back(error.sqnr_db(), value);
  }
  std::sort(worst.begin(), worst.end());
  if (worst.size() > count) worst.resize(count);
  std::vector<WeightHistogram> found;
  for (const auto& [sqnr_db, value] : worst) {
    const ModuleWeight& weight = *stored.at(value);
    const auto source = floats_of(*graph.values[value].constant);
    const auto [low, high] = std::minmax_element(source.begin(), source.end());
    if (!(*low < *high)) continue;
    found.push_back({weight.name, weight.bits, sqnr_db, *low, *high, counts(source, *low, *high),
                     counts(floats_of(weights.decoded(weight)), *low, *high)});
  }
  return found;
}

}  // namespace subbyte
