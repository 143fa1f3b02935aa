// Element-wise operators: what goes in comes out, broadcast.
#include <algorithm>

#include "graph/infer/node_infer.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

std::optional<Shape> copy(const Shape* shape) {
  return shape == nullptr ? std::nullopt : std::optional<Shape>(*shape);
}

// The shape that inputs [0, count) broadcast to; none where one is not known.
Expected<std::optional<Shape>> broadcast_inputs(NodeInfer& c, std::size_t count) {
  std::optional<Shape> result = Shape{};
  for (std::size_t i = 0; i < count; ++i) {
    const Shape* shape = c.shape(i);
    if (shape == nullptr) return std::optional<Shape>{};
    SUBBYTE_TRY(result, broadcast_shapes(c, *result, *shape));
  }
  return result;
}

void set_element_wise(NodeInfer& c, DType dtype, const std::optional<Shape>& shape) {
  // The content rules look at the output's dtype.
  c.set(0, dtype, shape);
  if (shape) c.set(0, dtype, shape, element_content(c, *shape));
}

}  // namespace

Expected<void> infer_same(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  if (shape != nullptr && (c.node.op == Op::Softmax || c.node.op == Op::LogSoftmax ||
                           c.node.op == Op::RMSNormalization)) {
    SUBBYTE_CHECK_OK(c.axis(c.node.int_or("axis", -1), shape->size()));
  }
  if (shape != nullptr && c.node.op == Op::PRelu && c.shape(1) != nullptr) {
    SUBBYTE_CHECK_OK(broadcast_into(c, *c.shape(1), *shape, "its slope"));
  }
  if (c.node.op == Op::Clip || c.node.op == Op::PRelu) SUBBYTE_CHECK_OK(c.same_dtype(0, 3));
  set_element_wise(c, c.in(0).dtype, copy(shape));
  return {};
}

Expected<void> infer_to_bool(NodeInfer& c) {
  c.set(0, DType::boolean, copy(c.shape(0)));
  return {};
}

Expected<void> infer_cast(NodeInfer& c) {
  const std::int64_t to = c.node.int_or("to", 0);
  // string (8) and complex (14, 15) are dtypes too; whether a dtype is supported is not decided
  // here.
  constexpr auto kLast = static_cast<std::int64_t>(DType::int2);
  if (to < 1 || to > kLast)
    return fail("its attribute 'to' is {}; the data types are 1 to {}", to, kLast);
  set_element_wise(c, static_cast<DType>(to), copy(c.shape(0)));
  return {};
}

// The bits of an element as another dtype of as many.
Expected<void> infer_bit_cast(NodeInfer& c) {
  const auto to = static_cast<DType>(std::clamp<std::int64_t>(c.node.int_or("to", 0), 0, 127));
  const DType from = c.in(0).dtype;
  if (from != DType::undefined && dtype_size(from) != dtype_size(to)) {
    return fail("it takes the bits of {} as {}; both must have as many", dtype_name(from),
                dtype_name(to));
  }
  c.set(0, to, copy(c.shape(0)));
  return {};
}

Expected<void> infer_broadcast(NodeInfer& c) {
  // The exponent of Pow may have a type of its own.
  const std::size_t typed = c.node.op == Op::Pow ? 1 : c.node.inputs.size();
  SUBBYTE_TRY(const DType dtype, c.same_dtype(0, typed));
  SUBBYTE_TRY(const auto shape, broadcast_inputs(c, c.node.inputs.size()));
  set_element_wise(c, dtype, shape);
  return {};
}

Expected<void> infer_compare(NodeInfer& c) {
  SUBBYTE_CHECK_OK(c.same_dtype(0, 2));
  SUBBYTE_TRY(const auto shape, broadcast_inputs(c, 2));
  set_element_wise(c, DType::boolean, shape);
  return {};
}

Expected<void> infer_where(NodeInfer& c) {
  SUBBYTE_TRY(const DType dtype, c.same_dtype(1, 3));
  SUBBYTE_TRY(const auto shape, broadcast_inputs(c, 3));
  set_element_wise(c, dtype, shape);
  return {};
}

Expected<void> infer_dropout(NodeInfer& c) {
  const Content* content = c.content(0);
  c.set(0, c.in(0).dtype, copy(c.shape(0)),
        content == nullptr ? std::nullopt : std::optional<Content>(*content));
  c.set(1, DType::boolean, copy(c.shape(0)));
  return {};
}

}  // namespace subbyte
