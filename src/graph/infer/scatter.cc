// Elements and slices picked and replaced by computed indices.
#include "graph/infer/node_infer.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

// The elements of a vector of shape arithmetic with some replaced.
std::optional<Content> replaced_content(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  const auto at = c.constants(1);
  const bool simple = c.node.string_or("reduction", "none") == "none" && shape->size() == 1;
  if (!simple || c.content(0) == nullptr || c.content(2) == nullptr || !at ||
      at->size() != c.content(2)->size())
    return std::nullopt;
  Content result = *c.content(0);
  const auto size = static_cast<std::int64_t>(result.size());
  for (std::size_t i = 0; i < at->size(); ++i) {
    const std::int64_t index = (*at)[i] < 0 ? (*at)[i] + size : (*at)[i];
    if (index < 0 || index >= size) return std::nullopt;
    result[static_cast<std::size_t>(index)] = (*c.content(2))[i];
  }
  return result;
}

// The length of an index tuple of GatherND and ScatterND: the last size of the indices.
Expected<std::size_t> tuple_length(NodeInfer& c, const Shape& data, std::size_t batch_axes) {
  const Shape& indices = *c.shape(1);
  if (indices.empty() || data.empty()) {
    return fail("its data has shape {} and its indices {}; neither may be a scalar", c.text(data),
                c.text(indices));
  }
  const auto length = c.exprs.value(indices.back());
  if (!length) {
    return fail("the last size of its indices is {}; it must be known when converting",
                c.exprs.text(indices.back()));
  }
  const auto most = static_cast<std::int64_t>(data.size() - batch_axes);
  if (*length < 1 || *length > most) {
    return fail(
        "its indices have shape {}, so that {} numbers are one index into data of shape {}; "
        "there must be 1 to {}",
        c.text(indices), *length, c.text(data), most);
  }
  return static_cast<std::size_t>(*length);
}

// Sizes that two shapes must share.
Expected<void> match_sizes(NodeInfer& c, Expr a, Expr b, std::string_view what) {
  return c.require(c.exprs.equal(a, b), fmt::format("{} are {} and {}; they must be equal", what,
                                                    c.exprs.text(a), c.exprs.text(b)));
}

}  // namespace

Expected<void> infer_gather_elements(NodeInfer& c) {
  c.set(0, c.in(0).dtype, std::nullopt);
  const Shape* data = c.shape(0);
  const Shape* indices = c.shape(1);
  if (data == nullptr || indices == nullptr) return {};
  if (data->size() != indices->size()) {
    return fail("its data has shape {} and its indices {}; they must have one rank", c.text(*data),
                c.text(*indices));
  }
  SUBBYTE_TRY(const std::size_t axis, c.axis(c.node.int_or("axis", 0), data->size()));
  for (std::size_t i = 0; i < data->size(); ++i) {
    if (i == axis) continue;
    SUBBYTE_CHECK_OK(c.require(
        c.exprs.less((*indices)[i], c.exprs.add((*data)[i], c.one())),
        fmt::format("its indices have shape {} and its data {}; size {} of axis {} must be at "
                    "most {}",
                    c.text(*indices), c.text(*data), c.exprs.text((*indices)[i]), i,
                    c.exprs.text((*data)[i]))));
  }
  SUBBYTE_CHECK_OK(c.require_elements(std::span(*data).subspan(axis, 1), *indices));
  c.set(0, c.in(0).dtype, *indices);
  return {};
}

Expected<void> infer_gather_nd(NodeInfer& c) {
  c.set(0, c.in(0).dtype, std::nullopt);
  const Shape* data = c.shape(0);
  const Shape* indices = c.shape(1);
  if (data == nullptr || indices == nullptr) return {};
  const std::int64_t batch = c.node.int_or("batch_dims", 0);
  const auto least = static_cast<std::int64_t>(std::min(data->size(), indices->size()));
  if (batch < 0 || batch >= std::max<std::int64_t>(least, 1)) {
    return fail("its batch_dims is {}; for shapes {} and {} it must be in [0, {}]", batch,
                c.text(*data), c.text(*indices), std::max<std::int64_t>(least, 1) - 1);
  }
  const auto first = static_cast<std::size_t>(batch);
  SUBBYTE_TRY(const std::size_t length, tuple_length(c, *data, first));
  for (std::size_t i = 0; i < first; ++i) {
    SUBBYTE_CHECK_OK(match_sizes(c, (*data)[i], (*indices)[i],
                                 fmt::format("sizes of its data and indices along axis {}", i)));
  }
  Shape shape(indices->begin(), indices->end() - 1);
  SUBBYTE_CHECK_OK(c.require_elements(std::span(*data).subspan(first, length), shape));
  shape.insert(shape.end(), data->begin() + static_cast<std::ptrdiff_t>(first + length),
               data->end());
  c.set(0, c.in(0).dtype, std::move(shape));
  return {};
}

// ScatterElements and ScatterND: the data with some elements replaced.
Expected<void> infer_scatter(NodeInfer& c) {
  const Shape* data = c.shape(0);
  const Shape* indices = c.shape(1);
  const Shape* updates = c.shape(2);
  const DType dtype = c.in(0).dtype, updates_dtype = c.in(2).dtype;
  if (dtype != DType::undefined && updates_dtype != DType::undefined && dtype != updates_dtype) {
    return fail("its data is {} and its updates are {}; they must have one data type",
                dtype_name(dtype), dtype_name(updates_dtype));
  }
  c.set(0, dtype, data == nullptr ? std::nullopt : std::optional<Shape>(*data));
  if (data == nullptr || indices == nullptr || updates == nullptr) return {};
  Shape wanted;
  if (c.node.op == Op::ScatterND) {
    SUBBYTE_TRY(const std::size_t length, tuple_length(c, *data, 0));
    wanted.assign(indices->begin(), indices->end() - 1);
    SUBBYTE_CHECK_OK(c.require_elements(std::span(*data).first(length), wanted));
    wanted.insert(wanted.end(), data->begin() + static_cast<std::ptrdiff_t>(length), data->end());
  } else {
    SUBBYTE_TRY(const std::size_t axis, c.axis(c.node.int_or("axis", 0), data->size()));
    if (data->size() != indices->size()) {
      return fail("its data has shape {} and its indices {}; they must have one rank",
                  c.text(*data), c.text(*indices));
    }
    SUBBYTE_CHECK_OK(c.require_elements(std::span(*data).subspan(axis, 1), *indices));
    wanted = *indices;
  }
  if (wanted.size() != updates->size()) {
    return fail("its updates have shape {}; for indices of shape {} they must have shape {}",
                c.text(*updates), c.text(*indices), c.text(wanted));
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    SUBBYTE_CHECK_OK(match_sizes(c, (*updates)[i], wanted[i],
                                 fmt::format("sizes of its updates and indices along axis {}", i)));
  }
  c.set(0, dtype, *data, replaced_content(c));
  return {};
}

}  // namespace subbyte
