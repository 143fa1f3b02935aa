// The C++ reference: a slow, obvious function for each operator. It folds constants, checks the kernels
// and runs models for the `check` of the manifest and for calibration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "graph/graph.h"

namespace subbyte::reference {

// The inputs of one node: nullptr where an optional input is absent. Arithmetic on float32 accumulates
// in double; results have the dtypes that ONNX gives them.
using Inputs = std::span<const Tensor* const>;

// Evaluates one node on concrete tensors. An operator the table has is never refused for its dtype when
// ONNX allows it; bad inputs (an index out of range, shapes that do not fit) are errors.
Expected<std::vector<Tensor>> evaluate(const Node& node, Inputs inputs);

// Runs the main graph on concrete inputs (in the order of graph.inputs). `observe`, where given, sees
// every value as it is computed; values are freed after their last use.
using Observer = std::function<void(ValueId, const Tensor&)>;
Expected<std::vector<Tensor>> run(const Model& model, std::span<const Tensor> inputs,
                                  const Observer& observe = nullptr);

}  // namespace subbyte::reference
