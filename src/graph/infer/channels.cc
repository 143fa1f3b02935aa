// Normalisations and pools over whole images: operators with one parameter for each channel (axis
// 1).
#include "graph/infer/node_infer.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

Expected<void> check_rank(NodeInfer& c, const Shape& shape, std::size_t least) {
  if (shape.size() >= least) return {};
  return fail("its input has shape {}; its rank must be at least {}", c.text(shape), least);
}

// Inputs [first, last) are vectors of `length`.
Expected<void> check_vectors(NodeInfer& c, std::size_t first, std::size_t last, Expr length) {
  for (std::size_t i = first; i < last; ++i) {
    const Shape* shape = c.shape(i);
    if (shape == nullptr) continue;
    const std::string message = fmt::format("its input {} has shape {}; it must be [{}]", i,
                                            c.text(*shape), c.exprs.text(length));
    if (shape->size() != 1) return fail("{}", message);
    SUBBYTE_CHECK_OK(c.require(c.exprs.equal(shape->front(), length), message));
  }
  return {};
}

void set_like_input(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  c.set(0, c.in(0).dtype, shape == nullptr ? std::nullopt : std::optional<Shape>(*shape));
}

}  // namespace

Expected<void> infer_batch_normalization(NodeInfer& c) {
  if (const Shape* shape = c.shape(0)) {
    SUBBYTE_CHECK_OK(check_rank(c, *shape, 1));
    SUBBYTE_CHECK_OK(check_vectors(c, 1, 5, shape->size() == 1 ? c.one() : (*shape)[1]));
  }
  set_like_input(c);
  return {};
}

Expected<void> infer_instance_normalization(NodeInfer& c) {
  if (const Shape* shape = c.shape(0)) {
    SUBBYTE_CHECK_OK(check_rank(c, *shape, 3));
    SUBBYTE_CHECK_OK(check_vectors(c, 1, 3, (*shape)[1]));
  }
  set_like_input(c);
  return {};
}

// Scale and bias have one element for each channel or, before opset 21, for each group.
Expected<void> infer_group_normalization(NodeInfer& c) {
  const std::int64_t groups = c.node.int_or("num_groups", 0);
  if (groups < 1) return fail("its num_groups is {}; it must be at least 1", groups);
  if (const Shape* shape = c.shape(0)) {
    SUBBYTE_CHECK_OK(check_rank(c, *shape, 3));
    const Expr count = c.exprs.constant(groups), channels = (*shape)[1];
    SUBBYTE_CHECK_OK(
        c.require(c.exprs.equal(c.exprs.mod(channels, count), c.zero()),
                  fmt::format("its num_groups is {}, which does not divide {} channels", groups,
                              c.exprs.text(channels))));
    const Shape* scale = c.shape(1);
    const bool by_group = scale != nullptr && scale->size() == 1 && (*scale)[0] == count;
    SUBBYTE_CHECK_OK(check_vectors(c, 1, 3, by_group ? count : channels));
  }
  set_like_input(c);
  return {};
}

Expected<void> infer_mean_variance_normalization(NodeInfer& c) {
  if (const Shape* shape = c.shape(0)) {
    const std::vector<std::int64_t> otherwise{0, 2, 3};
    SUBBYTE_CHECK_OK(c.axes_of(c.node.ints("axes").value_or(otherwise), shape->size()));
  }
  set_like_input(c);
  return {};
}

Expected<void> infer_lrn(NodeInfer& c) {
  const std::int64_t size = c.node.int_or("size", 0);
  if (size < 1 || size > INT32_MAX) {
    return fail("its size is {}; it must be in [1, {}]", size, INT32_MAX);
  }
  if (const Shape* shape = c.shape(0)) SUBBYTE_CHECK_OK(check_rank(c, *shape, 2));
  set_like_input(c);
  return {};
}

// Hardmax and LpNormalization.
Expected<void> infer_along_axis(NodeInfer& c) {
  if (const Shape* shape = c.shape(0)) {
    SUBBYTE_CHECK_OK(c.axis(c.node.int_or("axis", -1), shape->size()));
  }
  if (c.node.op == Op::LpNormalization) {
    const std::int64_t p = c.node.int_or("p", 2);
    if (p != 1 && p != 2) return fail("its p is {}; it must be 1 or 2", p);
  }
  set_like_input(c);
  return {};
}

// The spatial axes remain as 1.
Expected<void> infer_global_pool(NodeInfer& c) {
  if (c.node.op == Op::GlobalLpPool && c.node.int_or("p", 2) < 1) {
    return fail("its p is {}; it must be at least 1", c.node.int_or("p", 2));
  }
  std::optional<Shape> result;
  if (const Shape* shape = c.shape(0)) {
    SUBBYTE_CHECK_OK(check_rank(c, *shape, 2));
    result = *shape;
    std::fill(result->begin() + 2, result->end(), c.one());
  }
  c.set(0, c.in(0).dtype, std::move(result));
  return {};
}

}  // namespace subbyte
