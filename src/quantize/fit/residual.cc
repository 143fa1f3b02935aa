#include "quantize/fit/residual.h"

#include "graph/ops.h"

namespace subbyte::fit {

std::optional<ValueId> residual_of(const Graph& graph, const Uses& uses, NodeId product) {
  if (graph.nodes[product].op != Op::MatMul) return std::nullopt;
  ValueId result = graph.nodes[product].outputs[0];
  while (uses.count(result) == 1 && uses.readers[result].size() == 1) {
    const Node& node = graph.nodes[uses.readers[result][0]];
    if (node.op != Op::Add) return std::nullopt;
    const ValueId other = node.inputs[node.inputs[0] == result ? 1 : 0];
    if (graph.constant(other) == nullptr) return other;
    result = node.outputs[0];  // with its bias
  }
  return std::nullopt;
}

bool is_beside(std::span<const Tensor> residual, const WeightUse& use, const ProductInputs& inputs,
               std::span<const Tensor> activations) {
  if (residual.size() != activations.size() || inputs.groups() > 1) return false;
  for (std::size_t s = 0; s < residual.size(); ++s)
    if (residual[s].dtype != DType::float32 ||
        residual[s].elements() != inputs.places(activations[s]) * use.rows)
      return false;
  return true;
}

}  // namespace subbyte::fit
