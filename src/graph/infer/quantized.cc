// Quantized operators, until canonicalize has spelled them out.
#include "graph/infer/node_infer.h"

namespace subbyte {
namespace {

std::optional<Shape> copy(const Shape* shape) {
  return shape == nullptr ? std::nullopt : std::optional<Shape>(*shape);
}

DType attribute_dtype(const Node& node) {
  return static_cast<DType>(node.int_or("output_dtype", 0));
}

}  // namespace

// The zero point has the dtype of the result; without one it is uint8, or what output_dtype says.
Expected<void> infer_quantize_linear(NodeInfer& c) {
  DType dtype = attribute_dtype(c.node);
  if (c.has(2)) dtype = c.in(2).dtype;
  if (dtype == DType::undefined && !c.has(2)) dtype = DType::uint8;
  c.set(0, dtype, copy(c.shape(0)));
  return {};
}

Expected<void> infer_dequantize_linear(NodeInfer& c) {
  const DType dtype = attribute_dtype(c.node);
  c.set(0, dtype == DType::undefined ? c.in(1).dtype : dtype, copy(c.shape(0)));
  return {};
}

Expected<void> infer_dynamic_quantize_linear(NodeInfer& c) {
  c.set(0, DType::uint8, copy(c.shape(0)));
  c.set(1, DType::float32, Shape{});
  c.set(2, DType::uint8, Shape{});
  return {};
}

// Nothing of these is left when shapes are inferred.
Expected<void> infer_spelled_early(NodeInfer&) { return {}; }

}  // namespace subbyte
