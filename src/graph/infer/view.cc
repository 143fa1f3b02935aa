// The same elements under another shape or order, where no arithmetic on sizes is needed.
#include <algorithm>
#include <numeric>

#include "graph/arithmetic.h"
#include "graph/infer/node_infer.h"

namespace subbyte {
namespace {

// The output has the input's elements in the input's order.
void set_same_order(NodeInfer& c, Shape shape) {
  const Content* content = c.content(0);
  c.set(0, c.in(0).dtype, std::move(shape),
        content == nullptr ? std::nullopt : std::optional<Content>(*content));
}

}  // namespace

Expected<void> infer_transpose(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  if (shape == nullptr) {
    c.set(0, c.in(0).dtype, std::nullopt);
    return {};
  }
  std::vector<std::size_t> order(shape->size());
  std::iota(order.rbegin(), order.rend(), std::size_t{0});
  if (const auto perm = c.node.ints("perm")) {
    if (perm->size() != shape->size()) {
      return fail(
          "its attribute 'perm' has {} entries for a tensor of shape {}; it must name each axis "
          "once",
          perm->size(), c.text(*shape));
    }
    SUBBYTE_TRY(order, c.axes_of(*perm, shape->size()));
  }
  Shape result;
  for (const std::size_t axis : order) result.push_back((*shape)[axis]);
  std::optional<Content> content;
  const auto dims = small_dims(c.exprs, result);
  if (c.content(0) != nullptr && dims) {
    std::vector<std::int64_t> strides(shape->size(), 1);
    for (std::size_t i = shape->size(); i-- > 1;) {
      strides[i - 1] = saturating_mul(strides[i], *c.exprs.value((*shape)[i]));
    }
    content.emplace();
    for_each_element(*dims, [&](std::int64_t, const std::vector<std::int64_t>& at) {
      std::int64_t offset = 0;
      for (std::size_t i = 0; i < at.size(); ++i) offset += at[i] * strides[order[i]];
      content->push_back((*c.content(0))[static_cast<std::size_t>(offset)]);
    });
  }
  c.set(0, c.in(0).dtype, std::move(result), std::move(content));
  return {};
}

Expected<void> infer_squeeze(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  SUBBYTE_TRY(const auto given, c.axes(1));
  if (shape == nullptr || (c.has(1) && !given)) {
    c.set(0, c.in(0).dtype, std::nullopt);
    return {};
  }
  std::vector<char> removed(shape->size(), 0);
  if (given) {
    SUBBYTE_TRY(const auto axes, c.axes_of(*given, shape->size()));
    for (const std::size_t axis : axes) {
      SUBBYTE_CHECK_OK(c.require(
          c.exprs.equal((*shape)[axis], c.one()),
          fmt::format("axis {} of shape {} has size {}; only an axis of size 1 can be squeezed",
                      axis, c.text(*shape), c.exprs.text((*shape)[axis]))));
      removed[axis] = 1;
    }
  } else {
    // The rank of the result must be known: an axis whose size is not known stays, and must not
    // be 1.
    for (std::size_t axis = 0; axis < shape->size(); ++axis) {
      const Expr dim = (*shape)[axis];
      removed[axis] = c.exprs.is(dim, 1) ? 1 : 0;
      if (removed[axis] != 0) continue;
      SUBBYTE_CHECK_OK(c.require(
          c.exprs.equal(c.exprs.equal(dim, c.one()), c.zero()),
          fmt::format(
              "axis {} of shape {} must not have size 1, because it names no axes to squeeze", axis,
              c.text(*shape))));
    }
  }
  Shape result;
  for (std::size_t axis = 0; axis < shape->size(); ++axis) {
    if (removed[axis] == 0) result.push_back((*shape)[axis]);
  }
  set_same_order(c, std::move(result));
  return {};
}

Expected<void> infer_unsqueeze(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  SUBBYTE_TRY(const auto given, c.axes(1));
  if (shape == nullptr || !given) {
    c.set(0, c.in(0).dtype, std::nullopt);
    return {};
  }
  const std::size_t rank = shape->size() + given->size();
  SUBBYTE_TRY(const auto axes, c.axes_of(*given, rank));
  std::vector<char> is_new(rank, 0);
  for (const std::size_t axis : axes) is_new[axis] = 1;
  Shape result;
  std::size_t next = 0;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    result.push_back(is_new[axis] != 0 ? c.one() : (*shape)[next++]);
  }
  set_same_order(c, std::move(result));
  return {};
}

Expected<void> infer_flatten(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  if (shape == nullptr) {
    c.set(0, c.in(0).dtype, std::nullopt);
    return {};
  }
  const auto rank = static_cast<std::int64_t>(shape->size());
  std::int64_t axis = c.node.int_or("axis", 1);
  // Unlike other axes it may be the rank itself: everything is then in the first dimension.
  if (axis < -rank || axis > rank) {
    return fail("axis {} is out of range; for a tensor of rank {} it must be in [{}, {}]", axis,
                rank, -rank, rank);
  }
  if (axis < 0) axis += rank;
  const std::span<const Expr> dims(*shape);
  const auto split = static_cast<std::size_t>(axis);
  set_same_order(c, {c.exprs.product(dims.first(split)), c.exprs.product(dims.subspan(split))});
  return {};
}

Expected<void> infer_expand(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  const Content* target = c.content(1);
  if (shape == nullptr || target == nullptr) {
    c.set(0, c.in(0).dtype, std::nullopt);
    return {};
  }
  Shape sizes;
  for (const Expr e : *target) {
    SUBBYTE_TRY(const Expr size, c.size(e, "a size of its target shape"));
    sizes.push_back(size);
  }
  SUBBYTE_TRY(Shape result, broadcast_shapes(c, *shape, sizes));
  std::optional<Content> content;
  const auto dims = small_dims(c.exprs, result);
  if (c.content(0) != nullptr && dims) {
    const auto strides = broadcast_strides(*small_dims(c.exprs, *shape), dims->size());
    content.emplace();
    for_each_element(*dims, [&](std::int64_t, const std::vector<std::int64_t>& at) {
      std::int64_t offset = 0;
      for (std::size_t i = 0; i < at.size(); ++i) offset += at[i] * strides[i];
      content->push_back((*c.content(0))[static_cast<std::size_t>(offset)]);
    });
  }
  c.set(0, c.in(0).dtype, std::move(result), std::move(content));
  return {};
}

Expected<void> infer_tile(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  const Content* repeats = c.content(1);
  if (shape == nullptr || repeats == nullptr) {
    c.set(0, c.in(0).dtype, std::nullopt);
    return {};
  }
  if (repeats->size() != shape->size()) {
    return fail("it has {} repeats for a tensor of shape {}; it must have one for each axis",
                repeats->size(), c.text(*shape));
  }
  Shape result;
  for (std::size_t axis = 0; axis < shape->size(); ++axis) {
    SUBBYTE_TRY(const Expr times, c.size((*repeats)[axis], "a repeat"));
    result.push_back(c.exprs.mul((*shape)[axis], times));
  }
  std::optional<Content> content;
  const auto dims = small_dims(c.exprs, result);
  const auto from = small_dims(c.exprs, *shape);
  if (c.content(0) != nullptr && dims && from) {
    content.emplace();
    for_each_element(*dims, [&](std::int64_t, const std::vector<std::int64_t>& at) {
      std::int64_t offset = 0;
      for (std::size_t i = 0; i < at.size(); ++i) offset = offset * (*from)[i] + at[i] % (*from)[i];
      content->push_back((*c.content(0))[static_cast<std::size_t>(offset)]);
    });
  }
  c.set(0, c.in(0).dtype, std::move(result), std::move(content));
  return {};
}

}  // namespace subbyte
