#include "samples/work.h"

#include "graph/ops.h"

namespace subbyte {

double multiply_adds(const Model& model, std::span<const std::int64_t> sizes) {
  const Graph& graph = model.main();
  const auto size = [&](ValueId v, std::size_t from, std::size_t to) {
    double product = 1;
    const auto& shape = graph.values[v].shape;
    if (!shape) return 0.0;
    for (std::size_t axis = from; axis < to && axis < shape->size(); ++axis)
      product *= static_cast<double>(model.exprs.evaluate((*shape)[axis], sizes));
    return product;
  };
  double work = 0;
  for (const Node& node : graph.nodes) {
    const auto rank = [&](std::size_t i) {
      const auto& shape = graph.values[node.inputs[i]].shape;
      return shape ? shape->size() : 0;
    };
    constexpr std::size_t kAll = SIZE_MAX;
    switch (node.op) {
      case Op::MatMul:
        if (rank(0) > 0)
          work += size(node.outputs[0], 0, kAll) * size(node.inputs[0], rank(0) - 1, kAll);
        break;
      case Op::Gemm: {
        const std::size_t depth = node.int_or("transA", 0) != 0 ? 0 : 1;
        work += size(node.outputs[0], 0, kAll) * size(node.inputs[0], depth, depth + 1);
        break;
      }
      case Op::Conv:
        work += size(node.outputs[0], 0, kAll) * size(node.inputs[1], 1, kAll);
        break;
      case Op::ConvTranspose:
        work += size(node.inputs[0], 0, kAll) * size(node.inputs[1], 1, kAll);
        break;
      default:
        break;
    }
  }
  return work;
}

}  // namespace subbyte
