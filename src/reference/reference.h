// The C++ reference: a slow, obvious function for each operator. It folds constants, and checks the
// kernels and the executor (src/calibrate), which falls back on it where it has no form of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "graph/branches.h"
#include "graph/graph.h"

namespace subbyte::reference {

// The inputs of one node: nullptr where an optional input is absent. Arithmetic on float32
// accumulates in double; results have the dtypes that ONNX gives them.
using Inputs = std::span<const Tensor* const>;

// The most that one output may take. Sizes come from files, and a few bytes of Expand or Range can
// ask for terabytes.
inline constexpr std::int64_t kMaxTensorBytes = std::int64_t{1} << 32;

// True for If, Loop, Scan and the like, whose attributes are graphs. They are not evaluated.
bool carries_graph(const Node& node);

// Evaluates one node, in canonical form, on concrete tensors; gives at least as many outputs as the
// node has. An operator the table has is never refused for its dtype when ONNX allows it; bad
// inputs (an index out of range, shapes that do not fit, an integer division by zero) are errors,
// as is an output of more than max_bytes. Outputs may share the data of inputs.
Expected<std::vector<Tensor>> evaluate(const Node& node, Inputs inputs,
                                       std::int64_t max_bytes = kMaxTensorBytes);

// Inputs that are not as many as the main graph has, or not of the dtypes and shapes that it says,
// a name standing for one size everywhere, are errors.
Expected<void> check_inputs(const Model& model, std::span<const Tensor> inputs);

// For each value of the graph the node that reads it last: 0 where none does, as many as there are
// nodes for graph outputs, if those are wanted.
std::vector<std::size_t> last_readers(const Graph& graph, bool wants_outputs = true);

// Whether a node with that guard runs; `find` gives what has been computed, nullptr for the rest.
bool is_taken(const Guard& guard, const std::function<const Tensor*(ValueId)>& find);

// Runs the main graph on concrete inputs (in the order of graph.inputs). `observe`, where given,
// sees the inputs and then every value as it is computed; values are freed after their last use.
// Inputs that check_inputs() refuses are errors, as are nodes with graphs inside.
using Observer = std::function<void(ValueId, const Tensor&)>;
Expected<std::vector<Tensor>> run(const Model& model, std::span<const Tensor> inputs,
                                  const Observer& observe = nullptr);

}  // namespace subbyte::reference
