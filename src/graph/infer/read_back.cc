// Sizes that the GPU computes: what a ReadBack reads is an expression for all that comes after it.
#include "base/text.h"
#include "graph/infer/node_infer.h"

namespace subbyte {
namespace {

struct Bounds {
  std::int64_t lower, upper;
};

// What the 32 bits hold in which a kernel leaves an integer.
Bounds bounds_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return {0, 1};
    case DType::uint8:
      return {0, UINT8_MAX};
    case DType::uint16:
      return {0, UINT16_MAX};
    case DType::int8:
      return {INT8_MIN, INT8_MAX};
    case DType::int16:
      return {INT16_MIN, INT16_MAX};
    default:
      return {INT32_MIN, INT32_MAX};
  }
}

}  // namespace

// Output 0 is what the GPU computes, where no expressions say it; output 1 the same elements as
// symbols that are read back.
Expected<void> infer_read_back(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  const DType dtype = c.in(0).dtype;
  const auto whole = shape == nullptr ? std::nullopt : std::optional<Shape>(*shape);
  c.set(0, dtype, whole);
  c.set(1, dtype, whole);
  if (shape == nullptr) return {};
  if (const Content* content = c.content(0)) {
    c.set(0, dtype, whole, *content);
    c.set(1, dtype, whole, *content);
    return {};
  }
  const auto dims = small_dims(c.exprs, *shape);
  if (!dims) return {};
  const std::string& name = c.graph().values[c.node.outputs[0]].name;
  const Bounds bounds = bounds_of(dtype);
  Content content;
  for_each_element(*dims, [&](std::int64_t index, const auto&) {
    content.push_back(c.result_symbol(dims->empty() ? name : fmt::format("{}[{}]", name, index),
                                      bounds.lower, bounds.upper));
  });
  c.set(1, dtype, whole, std::move(content));
  return {};
}

}  // namespace subbyte
