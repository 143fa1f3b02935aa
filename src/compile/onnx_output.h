// The target ONNX: the model as it was quantized, for any other runtime.
#pragma once

#include <functional>

#include "base/error.h"
#include "compile/compile.h"
#include "quantize/weight_plan.h"

namespace subbyte {

// Writes `model`, in operators of ONNX with every shape known, each weight with the values that a
// module computes with: as floats, or with `quantized_nodes` as codes where nodes give these to the
// bit. Returns what the files take; `cancelled` is asked before each weight and gives the error
// that ends the work.
Expected<CompileResult> write_onnx_output(const Model& model, const WeightPlan& weights,
                                          bool quantized_nodes, const Output& output,
                                          Observer& observer,
                                          const std::function<Expected<void>()>& cancelled);

}  // namespace subbyte
