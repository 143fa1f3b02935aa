// Shapes and tensors made from nothing.
#include <algorithm>
#include <cmath>

#include "graph/infer/node_infer.h"
#include "graph/integers.h"

namespace subbyte {
namespace {

std::int64_t clamp_axis(std::int64_t axis, std::int64_t rank) {
  return std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
}

// The number of elements of a Range of constant floats; nullopt where an operand is not one.
Expected<std::optional<std::int64_t>> float_range(const Graph& graph, const Node& node) {
  double operand[3];
  for (std::size_t i = 0; i < 3; ++i) {
    const Tensor* tensor = graph.constant(node.inputs[i]);
    if (tensor == nullptr || !is_float(tensor->dtype) || tensor->elements() != 1) {
      return std::optional<std::int64_t>{};
    }
    float value = 0;
    read_floats(*tensor, 0, 1, &value);
    operand[i] = static_cast<double>(value);
  }
  const double count = std::ceil((operand[1] - operand[0]) / operand[2]);
  if (!(count < 0x1p53)) {
    return fail("its range from {} to {} by {} has no countable number of elements", operand[0],
                operand[1], operand[2]);
  }
  return std::optional<std::int64_t>(static_cast<std::int64_t>(std::max(count, 0.0)));
}

}  // namespace

Expected<void> infer_constant(NodeInfer& c) {
  // Import turns Constant nodes into constants; one that a pass adds has the tensor as its
  // attribute.
  const Tensor* tensor = c.node.tensor("value");
  if (tensor == nullptr) return {};
  Shape shape;
  for (const std::int64_t dim : tensor->dims) shape.push_back(c.exprs.constant(dim));
  std::optional<Content> content;
  const auto dims = small_dims(c.exprs, shape);
  if (const auto elements = dims ? exact_integers(*tensor) : std::nullopt) {
    content.emplace();
    for (const std::int64_t element : *elements) content->push_back(c.exprs.constant(element));
  }
  c.set(0, tensor->dtype, std::move(shape), std::move(content));
  return {};
}

Expected<void> infer_constant_of_shape(NodeInfer& c) {
  const Tensor* tensor = c.node.tensor("value");
  if (tensor != nullptr && tensor->elements() != 1) {
    return fail("its attribute 'value' has {} elements; it must have one", tensor->elements());
  }
  const DType dtype = tensor == nullptr ? DType::float32 : tensor->dtype;
  const Content* sizes = c.content(0);
  if (sizes == nullptr) {
    c.set(0, dtype, std::nullopt);
    return {};
  }
  Shape shape;
  for (const Expr e : *sizes) {
    SUBBYTE_TRY(const Expr size, c.size(e, "a size of its shape"));
    shape.push_back(size);
  }
  std::optional<Content> content;
  const auto dims = small_dims(c.exprs, shape);
  const auto value = tensor == nullptr ? std::nullopt : exact_integers(*tensor);
  if (dims && value) {
    content.emplace();
    const Expr element = c.exprs.constant(value->front());
    for_each_element(*dims, [&](std::int64_t, const auto&) { content->push_back(element); });
  }
  c.set(0, dtype, std::move(shape), std::move(content));
  return {};
}

Expected<void> infer_range(NodeInfer& c) {
  SUBBYTE_TRY(const DType dtype, c.same_dtype(0, 3));
  c.set(0, dtype, std::nullopt);
  for (std::size_t i = 0; i < 3; ++i) {
    if (c.shape(i) != nullptr && c.shape(i)->size() > 1) {
      return fail("its input {} has shape {}; start, limit and delta are scalars", i,
                  c.text(*c.shape(i)));
    }
  }
  SUBBYTE_TRY(const auto float_count, float_range(c.graph(), c.node));
  if (float_count) {
    c.set(0, dtype, Shape{c.exprs.constant(*float_count)});
    return {};
  }
  for (std::size_t i = 0; i < 3; ++i) {
    if (c.content(i) == nullptr || c.content(i)->size() != 1) return {};
  }
  ExprPool& p = c.exprs;
  const Expr start = c.content(0)->front(), limit = c.content(1)->front();
  const Expr delta = c.content(2)->front();
  SUBBYTE_CHECK_OK(c.require(p.equal(p.equal(delta, c.zero()), c.zero()),
                             fmt::format("its delta is {}; it must not be 0", p.text(delta))));
  const Expr count = p.max(p.ceil_div(p.sub(limit, start), delta), c.zero());
  std::optional<Content> content;
  if (small_dims(p, {count})) {
    content.emplace();
    for (std::int64_t i = 0; i < *p.value(count); ++i) {
      content->push_back(p.add(start, p.mul(delta, p.constant(i))));
    }
  }
  c.set(0, dtype, Shape{count}, std::move(content));
  return {};
}

Expected<void> infer_shape(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  if (shape == nullptr) {
    c.set(0, DType::int64, std::nullopt);
    return {};
  }
  const auto rank = static_cast<std::int64_t>(shape->size());
  const std::int64_t start = clamp_axis(c.node.int_or("start", 0), rank);
  const std::int64_t end = std::max(start, clamp_axis(c.node.int_or("end", rank), rank));
  c.set(0, DType::int64, Shape{c.exprs.constant(end - start)},
        Content(shape->begin() + start, shape->begin() + end));
  return {};
}

Expected<void> infer_size(NodeInfer& c) {
  std::optional<Content> content;
  if (const Shape* shape = c.shape(0)) content = Content{c.exprs.product(*shape)};
  c.set(0, DType::int64, Shape{}, std::move(content));
  return {};
}

}  // namespace subbyte
