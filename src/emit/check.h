// What quantization does to the outputs: the float executor run once with the float weights and
// once with the quantized ones.
#pragma once

#include <functional>

#include "base/error.h"
#include "emit/manifest.h"
#include "graph/graph.h"
#include "plan/plan.h"

namespace subbyte {

// Runs the model, in standard operators, on seeded inputs of small sizes. A model of more than
// kMaxCheckedParameters is not run, nor one whose inputs the executor refuses: the result then
// says why. Other seeds draw other inputs. `cancelled` is asked before each node; where it gives
// true the result is an error of that kind.
Expected<Check> check_quantization(const Model& model, const std::vector<StoredWeight>& weights,
                                   std::uint64_t seed = 1,
                                   const std::function<bool()>& cancelled = nullptr);

inline constexpr std::int64_t kMaxCheckedParameters = 150'000'000;
// Above this relative L2 error of an output `convert` warns.
inline constexpr double kRuinous = 0.3;

// The constants of `model` as they were quantized: the float values that kernels compute with.
Expected<Tensor> decoded_weight(const Model& model, const StoredWeight& stored);

}  // namespace subbyte
