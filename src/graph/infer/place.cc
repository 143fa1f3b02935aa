// Operators about places: which element is the greatest, where the ones are, in which block an
// element lies.
#include "base/text.h"
#include "graph/infer/node_infer.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

void set_like_input(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  c.set(0, c.in(0).dtype, shape == nullptr ? std::nullopt : std::optional<Shape>(*shape));
}

// The one element of an integer input: shape arithmetic, or a constant.
Expected<std::optional<Expr>> element_of(NodeInfer& c, std::size_t i, std::string_view what) {
  if (!c.has(i)) return std::optional<Expr>{};
  const Shape* shape = c.shape(i);
  if (shape != nullptr &&
      (shape->size() > 1 || (shape->size() == 1 && !c.exprs.is((*shape)[0], 1)))) {
    return fail("its {} has shape {}; it must have one element", what, c.text(*shape));
  }
  const Content* content = c.content(i);
  if (content != nullptr && content->size() == 1) return content->front();
  return std::optional<Expr>{};
}

}  // namespace

Expected<void> infer_arg_reduce(NodeInfer& c) {
  c.set(0, DType::int64, std::nullopt);
  const Shape* shape = c.shape(0);
  if (shape == nullptr) return {};
  SUBBYTE_TRY(const std::size_t axis, c.axis(c.node.int_or("axis", 0), shape->size()));
  if (c.exprs.is((*shape)[axis], 0)) {
    return fail("axis {} of its input, of shape {}, is empty; there must be an element to find",
                axis, c.text(*shape));
  }
  Shape result = *shape;
  if (c.node.int_or("keepdims", 1) != 0) {
    result[axis] = c.one();
  } else {
    result.erase(result.begin() + static_cast<std::ptrdiff_t>(axis));
  }
  c.set(0, DType::int64, std::move(result));
  return {};
}

Expected<void> infer_cumulative(NodeInfer& c) {
  SUBBYTE_TRY(const auto axis, element_of(c, 1, "axis"));
  const auto known = axis ? c.exprs.value(*axis) : std::nullopt;
  if (!known && c.in(1).shape) {
    return fail(
        "its axis must be known when converting, but it is computed or depends on an input "
        "of the model");
  }
  if (known && c.shape(0) != nullptr) SUBBYTE_CHECK_OK(c.axis(*known, c.shape(0)->size()));
  set_like_input(c);
  return {};
}

// A coordinate on each axis for each of as many elements as are found.
Expected<void> infer_nonzero(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  if (shape == nullptr) {
    c.set(0, DType::int64, std::nullopt);
    return {};
  }
  if (shape->empty()) {
    return fail("its input is a scalar, which has no axes; reshape it to [1] before the node");
  }
  const auto rank = static_cast<std::int64_t>(shape->size());
  c.set(0, DType::int64, Shape{c.exprs.constant(rank), c.counted(c.exprs.product(*shape))});
  return {};
}

// Indices [...] to [..., depth, ...]; the dtype is that of the two values.
namespace {

// Of places that are known: exporters write the factors of a Tile so.
std::optional<Content> one_hot_content(NodeInfer& c, const Shape& shape, std::size_t axis) {
  const auto indices = c.constants(0);
  const Content* values = c.content(2);
  const auto dims = small_dims(c.exprs, shape);
  if (!indices || values == nullptr || values->size() != 2 || !dims) return std::nullopt;
  std::vector<std::int64_t> places = *dims;
  places[axis] = 1;
  const auto strides = broadcast_strides(places, places.size());
  const std::int64_t depth = (*dims)[axis];
  Content content;
  for_each_element(*dims, [&](std::int64_t, const std::vector<std::int64_t>& at) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < at.size(); ++i) offset += i == axis ? 0 : at[i] * strides[i];
    const std::int64_t index = (*indices)[static_cast<std::size_t>(offset)];
    const bool is_hot = (index < 0 ? index + depth : index) == at[axis];
    content.push_back((*values)[is_hot ? 1 : 0]);
  });
  return content;
}

}  // namespace

Expected<void> infer_one_hot(NodeInfer& c) {
  const DType dtype = c.in(2).dtype;
  c.set(0, dtype, std::nullopt);
  const Shape* indices = c.shape(0);
  SUBBYTE_TRY(auto depth, element_of(c, 1, "depth"));
  if (const Tensor* given = c.graph().constant(c.node.inputs[1]);
      given != nullptr && is_float(given->dtype) && given->elements() == 1) {
    float value = 0;
    read_floats(*given, 0, 1, &value);
    if (!(value >= 0 && value <= 0x1p31f))
      return fail("its depth is {}; it must be at least 0", value);
    depth = c.exprs.constant(static_cast<std::int64_t>(value));
  }
  const Shape* values = c.shape(2);
  if (values != nullptr &&
      (values->size() != 1 || c.exprs.is(c.exprs.equal((*values)[0], c.exprs.constant(2)), 0))) {
    return fail("its values have shape {}; they must be [2]", c.text(*values));
  }
  if (indices == nullptr || !depth) return {};
  SUBBYTE_CHECK_OK(c.size(*depth, "its depth"));
  SUBBYTE_TRY(const std::size_t axis, c.axis(c.node.int_or("axis", -1), indices->size() + 1));
  Shape result = *indices;
  result.insert(result.begin() + static_cast<std::ptrdiff_t>(axis), *depth);
  auto content = one_hot_content(c, result, axis);
  c.set(0, dtype, std::move(result), std::move(content));
  return {};
}

Expected<void> infer_trilu(NodeInfer& c) {
  SUBBYTE_CHECK_OK(element_of(c, 1, "k"));
  if (const Shape* shape = c.shape(0); shape != nullptr && shape->size() < 2) {
    return fail("its input has shape {}; its rank must be at least 2", c.text(*shape));
  }
  set_like_input(c);
  return {};
}

Expected<void> infer_eye_like(NodeInfer& c) {
  const std::int64_t given = c.node.int_or("dtype", static_cast<std::int64_t>(c.in(0).dtype));
  if (given < 0 || given > 16) {
    return fail("its attribute 'dtype' is {}; the data types are 1 to 16", given);
  }
  const Shape* shape = c.shape(0);
  if (shape != nullptr && shape->size() != 2) {
    return fail("its input has shape {}; it must be a matrix", c.text(*shape));
  }
  c.set(0, static_cast<DType>(given),
        shape == nullptr ? std::nullopt : std::optional<Shape>(*shape));
  return {};
}

// DepthToSpace and SpaceToDepth: blocks of places become channels, or the other way.
Expected<void> infer_depth_space(NodeInfer& c) {
  const bool to_space = c.node.op == Op::DepthToSpace;
  const std::int64_t block = c.node.int_or("blocksize", 0);
  if (block < 1 || block > INT32_MAX) {
    return fail("its blocksize is {}; it must be in [1, {}]", block, INT32_MAX);
  }
  const std::string_view mode = c.node.string_or("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") {
    return fail("its mode is {}; it must be 'DCR' or 'CRD'", quoted(mode));
  }
  c.set(0, c.in(0).dtype, std::nullopt);
  const Shape* shape = c.shape(0);
  if (shape == nullptr) return {};
  if (shape->size() != 4) {
    return fail("its input has shape {}; its rank must be 4: batch, channels, height, width",
                c.text(*shape));
  }
  const Expr side = c.exprs.constant(block), area = c.exprs.mul(side, side);
  const auto divided = [&](std::size_t axis, Expr by) -> Expected<Expr> {
    const Expr size = (*shape)[axis];
    SUBBYTE_CHECK_OK(c.require(
        c.exprs.equal(c.exprs.mod(size, by), c.zero()),
        fmt::format("size {} of axis {} must be a multiple of {}, because its blocksize is {}",
                    c.exprs.text(size), axis, c.exprs.text(by), block)));
    return c.exprs.floor_div(size, by);
  };
  Shape result = *shape;
  if (to_space) {
    SUBBYTE_TRY(result[1], divided(1, area));
    result[2] = c.exprs.mul((*shape)[2], side);
    result[3] = c.exprs.mul((*shape)[3], side);
  } else {
    result[1] = c.exprs.mul((*shape)[1], area);
    SUBBYTE_TRY(result[2], divided(2, side));
    SUBBYTE_TRY(result[3], divided(3, side));
  }
  c.set(0, c.in(0).dtype, std::move(result));
  return {};
}

}  // namespace subbyte
