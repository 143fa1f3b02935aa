#include "compile/weight_histograms.h"

#include <algorithm>
#include <cmath>

#include "compile/compare_outputs.h"
#include "samples/number_tensor.h"

namespace subbyte {

namespace {

constexpr std::size_t kIntervals = 64;

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

WeightHistogram draw_weight(std::string name, int bits, double sqnr_db, const Tensor& source,
                            const Tensor& stored) {
  const auto values = floats_of(source);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  WeightHistogram drawn{std::move(name), bits, sqnr_db, 0, 0, {}, {}};
  if (values.empty() || !(*low < *high)) return drawn;
  drawn.low = *low;
  drawn.high = *high;
  drawn.source = counts(values, *low, *high);
  drawn.module = counts(floats_of(stored), *low, *high);
  return drawn;
}

std::vector<WeightHistogram> worst_weights(
    const Graph& graph, const ModuleWeights& weights,
    const std::unordered_map<ValueId, const ModuleWeight*>& stored, std::size_t count) {
  std::vector<std::pair<double, ValueId>> worst;
  for (const auto& [value, weight] : stored) {
    if (weight->rows * weight->k < kFewestDrawn) continue;
    SquaredError error;
    error.add(*graph.values[value].constant, weights.decoded(*weight));
    if (error.error > 0 && error.size > 0) worst.emplace_back(error.sqnr_db(), value);
  }
  std::sort(worst.begin(), worst.end());
  if (worst.size() > count) worst.resize(count);
  std::vector<WeightHistogram> found;
  for (const auto& [sqnr_db, value] : worst) {
    const ModuleWeight& weight = *stored.at(value);
    auto drawn = draw_weight(weight.name, weight.bits, sqnr_db, *graph.values[value].constant,
                             weights.decoded(weight));
    if (!drawn.source.empty()) found.push_back(std::move(drawn));
  }
  return found;
}

}  // namespace subbyte
