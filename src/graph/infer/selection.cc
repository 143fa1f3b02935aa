// Operators that select elements: the greatest, those that a condition names, boxes.
#include "graph/infer/node_infer.h"

namespace subbyte {

// The k greatest or least elements along an axis, and where they were. A k that a kernel computes
// is a size that is counted.
Expected<void> infer_top_k(NodeInfer& c) {
  const DType dtype = c.in(0).dtype;
  c.set(0, dtype, std::nullopt);
  if (c.wants(1)) c.set(1, DType::int64, std::nullopt);
  const Shape* shape = c.shape(0);
  if (shape == nullptr || !c.has(1)) return {};
  SUBBYTE_TRY(const std::size_t axis, c.axis(c.node.int_or("axis", -1), shape->size()));
  const Shape* k_shape = c.shape(1);
  if (k_shape == nullptr) return {};
  SUBBYTE_CHECK_OK(
      c.require(c.exprs.equal(c.exprs.product(*k_shape), c.one()),
                fmt::format("its k has shape {}; it must have one element", c.text(*k_shape))));
  Shape result = *shape;
  if (const Content* content = c.content(1)) {
    SUBBYTE_TRY(const Expr k, c.size(content->front(), "its k"));
    result[axis] = k;
    SUBBYTE_CHECK_OK(c.require(
        c.exprs.less(k, c.exprs.add((*shape)[axis], c.one())),
        fmt::format("its k is {} and axis {} of its input, of shape {}, has {} elements; "
                    "there must be as many",
                    c.exprs.text(k), axis, c.text(*shape), c.exprs.text((*shape)[axis]))));
  } else {
    result[axis] = c.counted((*shape)[axis]);
  }
  c.set(0, dtype, result);
  if (c.wants(1)) c.set(1, DType::int64, std::move(result));
  return {};
}

// Which boxes are left: [count, 3] of a batch, a class and a box.
Expected<void> infer_non_max_suppression(NodeInfer& c) {
  c.set(0, DType::int64, std::nullopt);
  const Shape* boxes = c.shape(0);
  const Shape* scores = c.shape(1);
  if (boxes == nullptr || scores == nullptr) return {};
  if (boxes->size() != 3 || scores->size() != 3)
    return fail("its boxes have shape {} and its scores {}; their rank must be 3", c.text(*boxes),
                c.text(*scores));
  const std::string message = fmt::format(
      "its boxes have shape {} and its scores {}; they must be [batch, boxes, 4] and "
      "[batch, classes, boxes]",
      c.text(*boxes), c.text(*scores));
  SUBBYTE_CHECK_OK(c.require(c.exprs.equal((*boxes)[0], (*scores)[0]), message));
  SUBBYTE_CHECK_OK(c.require(c.exprs.equal((*boxes)[1], (*scores)[2]), message));
  SUBBYTE_CHECK_OK(c.require(c.exprs.equal((*boxes)[2], c.exprs.constant(4)), message));
  Expr each = (*scores)[2];
  if (const Content* most = c.content(2))
    each = c.exprs.max(c.exprs.min(most->front(), each), c.zero());
  if (!c.has(2)) each = c.zero();
  const Expr most = c.exprs.mul(c.exprs.mul((*scores)[0], (*scores)[1]), each);
  c.set(0, DType::int64, Shape{c.counted(most), c.exprs.constant(3)});
  return {};
}

// What the condition names is counted where canonicalize has spelled it out as a NonZero.
Expected<void> infer_compress(NodeInfer& c) {
  c.set(0, c.in(0).dtype, std::nullopt);
  return {};
}

}  // namespace subbyte
