// One element-wise operator as a WGSL expression.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"
#include "plan/step_code.h"

namespace subbyte {

struct ScalarArgument {
  Typed typed;
  DType dtype = DType::undefined;
};

// `arguments` are the node's inputs (nullopt where an optional one is absent), already broadcast;
// the result has the GPU type of `result`. Functions that WGSL lacks, or has with too little
// accuracy, are those of kernels/math.wgsl.
// A factor or a divisor of 0 is written by `opaque`: compilers take 0 * x for 0, NaN or not.
using NumberText = std::function<std::string(float)>;
Expected<Typed> scalar_wgsl(const Node& node,
                            std::span<const std::optional<ScalarArgument>> arguments, DType result,
                            const NumberText& opaque);

// A value of one dtype as another, as ONNX Cast does.
Typed convert(const Typed& value, DType from, DType to);

// The larger or the smaller of two values; NaN where either is, which WGSL's own need not give.
std::string extreme(bool maximum, GpuType type, const std::string& a, const std::string& b);

}  // namespace subbyte
