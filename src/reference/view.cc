#include "reference/view.h"

#include <algorithm>
#include <limits>

namespace subbyte::reference {
namespace {

// Moves `length` elements of a fixed size; a size known to the compiler makes memcpy one
// instruction.
template <std::size_t size>
void copy_strided(const std::byte* source, std::int64_t stride, std::int64_t length,
                  std::byte* out) {
  for (std::int64_t i = 0; i < length; ++i)
    std::memcpy(out + static_cast<std::size_t>(i) * size,
                source + i * stride * static_cast<std::int64_t>(size), size);
}

using CopyStrided = void (*)(const std::byte*, std::int64_t, std::int64_t, std::byte*);

CopyStrided copy_of_size(std::size_t size) {
  switch (size) {
    case 1:
      return copy_strided<1>;
    case 2:
      return copy_strided<2>;
    case 4:
      return copy_strided<4>;
    case 8:
      return copy_strided<8>;
    case 16:
      return copy_strided<16>;
    default:
      return nullptr;
  }
}

// The end of a slice along one axis for a step of either sign, clamped as the ONNX specification of
// Slice says: to [0, dim] going forward, to [-1, dim - 1] going backward.
std::int64_t clamp_index(std::int64_t index, std::int64_t dim, std::int64_t step) {
  if (index < 0) index += dim;  // dim >= 0, so this cannot overflow
  return step > 0 ? std::clamp<std::int64_t>(index, 0, dim)
                  : std::clamp<std::int64_t>(index, -1, dim - 1);
}

}  // namespace

Dims strides_of(std::span<const std::int64_t> dims) {
  Dims strides(dims.size(), 0);
  // A tensor without elements is never read, and the products of its other dimensions might not
  // fit.
  if (product(dims, 0, dims.size()) == 0) return strides;
  for (std::size_t i = 0; i < dims.size(); ++i) strides[i] = product(dims, i + 1, dims.size());
  return strides;
}

Expected<Tensor> materialize(const Call& call, const Tensor& source, const View& view) {
  SUBBYTE_TRY(auto bytes, allocate(call, source.dtype, view.dims));
  const std::size_t size = dtype_size(source.dtype);
  const CopyStrided copy = copy_of_size(size);
  if (copy == nullptr) return wrong_dtype(call, source.dtype);
  if (bytes.empty()) return make_tensor(source.dtype, view.dims, std::move(bytes));

  const std::size_t outer = view.dims.empty() ? 0 : view.dims.size() - 1;
  const std::int64_t length = view.dims.empty() ? 1 : view.dims.back();
  const std::int64_t stride = view.dims.empty() ? 0 : view.strides.back();
  Dims index(outer, 0);
  std::int64_t offset = view.offset;
  for (std::byte* out = bytes.data();;) {
    copy(source.data.data() + offset * static_cast<std::int64_t>(size), stride, length, out);
    out += static_cast<std::size_t>(length) * size;
    std::size_t axis = outer;
    for (; axis-- > 0;) {
      offset += view.strides[axis];
      if (++index[axis] < view.dims[axis]) break;
      offset -= view.strides[axis] * view.dims[axis];
      index[axis] = 0;
    }
    if (axis == static_cast<std::size_t>(-1)) break;
  }
  return make_tensor(source.dtype, view.dims, std::move(bytes));
}

// ONNX Expand: the shape given and the input's own broadcast against each other.
Result reference_expand(const Call& call) {
  SUBBYTE_TRY(const Dims shape, integer_list(call, 1));
  SUBBYTE_TRY(const Dims dims, broadcast_dims(call, call.input(0).dims, shape));
  SUBBYTE_TRY(Tensor output, broadcast_to(call, call.input(0), dims));
  return one(std::move(output));
}

Expected<View> transpose_view(const Call& call) {
  const Tensor& input = call.input(0);
  const std::size_t rank = input.dims.size();
  const Dims strides = strides_of(input.dims);
  const auto perm = call.node.ints("perm");
  if (!perm || perm->size() != rank)
    return fail("{}: perm has {} axes and the input has rank {}; they must be equal",
                call.node.op_type, perm ? perm->size() : 0, rank);
  SUBBYTE_TRY(const auto axes, checked_axes(call, *perm, rank));
  View view;
  for (const std::size_t axis : axes) {
    view.dims.push_back(input.dims[axis]);
    view.strides.push_back(strides[axis]);
  }
  return view;
}

Result reference_transpose(const Call& call) {
  SUBBYTE_TRY(const View view, transpose_view(call));
  SUBBYTE_TRY(Tensor output, materialize(call, call.input(0), view));
  return one(std::move(output));
}

// Inputs: data, starts, ends, axes, steps.
Expected<View> slice_view(const Call& call) {
  const Tensor& input = call.input(0);
  const std::size_t rank = input.dims.size();
  if (!call.has(3) || !call.has(4))
    return fail("{}: its axes or steps are not said", call.node.op_type);
  SUBBYTE_TRY(const Dims starts, integer_list(call, 1));
  SUBBYTE_TRY(const Dims ends, integer_list(call, 2));
  SUBBYTE_TRY(const Dims axis_list, integer_list(call, 3));
  SUBBYTE_TRY(const Dims steps, integer_list(call, 4));
  if (ends.size() != starts.size() || axis_list.size() != starts.size() ||
      steps.size() != starts.size())
    return fail(
        "{}: {} starts, {} ends, {} axes and {} steps are given; there must be as many of each",
        call.node.op_type, starts.size(), ends.size(), axis_list.size(), steps.size());
  SUBBYTE_TRY(const auto axes, checked_axes(call, axis_list, rank));

  View view{input.dims, strides_of(input.dims), 0};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t dim = input.dims[axes[i]];
    const std::int64_t step = steps[i];
    if (step == 0)
      return fail("{}: the step of axis {} is 0; it must not be", call.node.op_type, axes[i]);
    // A first index past the last element going backward is the last element.
    const std::int64_t start = clamp_index(starts[i], dim, step);
    const std::int64_t end = clamp_index(ends[i], dim, step);
    const std::int64_t distance = step > 0 ? end - start : start - end;
    // |step| in 64 unsigned bits also where step is INT64_MIN.
    const std::uint64_t stride = step > 0 ? static_cast<std::uint64_t>(step)
                                          : std::uint64_t{0} - static_cast<std::uint64_t>(step);
    const std::int64_t count =
        distance <= 0
            ? 0
            : static_cast<std::int64_t>((static_cast<std::uint64_t>(distance) - 1) / stride + 1);
    view.dims[axes[i]] = count;
    if (count > 0) view.offset += start * view.strides[axes[i]];
    // With one element or none the stride is never used, and its product might not fit.
    view.strides[axes[i]] = count > 1 ? view.strides[axes[i]] * step : 0;
  }
  return view;
}

Result reference_slice(const Call& call) {
  SUBBYTE_TRY(const View view, slice_view(call));
  SUBBYTE_TRY(Tensor output, materialize(call, call.input(0), view));
  return one(std::move(output));
}

// Each axis of length d repeated r times is an axis of length r with stride 0 before it.
Result reference_tile(const Call& call) {
  const Tensor& input = call.input(0);
  SUBBYTE_TRY(const Dims repeats, integer_list(call, 1));
  if (repeats.size() != input.dims.size())
    return fail("{}: {} repeats are given for an input of rank {}; there must be one for each axis",
                call.node.op_type, repeats.size(), input.dims.size());
  const Dims strides = strides_of(input.dims);
  Dims dims;
  View view;
  for (std::size_t i = 0; i < repeats.size(); ++i) {
    std::int64_t dim = 0;
    if (repeats[i] < 0 || __builtin_mul_overflow(repeats[i], input.dims[i], &dim))
      return fail("{}: axis {} of length {} cannot be repeated {} times", call.node.op_type, i,
                  input.dims[i], repeats[i]);
    dims.push_back(dim);
    view.dims.insert(view.dims.end(), {repeats[i], input.dims[i]});
    view.strides.insert(view.strides.end(), {0, strides[i]});
  }
  // Checked by the shape that the caller knows.
  SUBBYTE_CHECK_OK(output_bytes(call, input.dtype, dims));
  SUBBYTE_TRY(Tensor output, materialize(call, input, view));
  output.dims = dims;
  return one(std::move(output));
}

// The lengths come from input 1; without it the axis is cut into num_outputs (or as many as the
// node has outputs) parts of equal length, the last one shorter where they do not divide it.
Expected<std::vector<View>> split_views(const Call& call) {
  const Tensor& input = call.input(0);
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, input.dims.size()));
  const std::int64_t dim = input.dims[axis];
  const auto outputs = static_cast<std::int64_t>(call.node.outputs.size());
  Dims lengths;
  if (call.has(1)) {
    SUBBYTE_TRY(lengths, integer_list(call, 1));
  } else {
    const std::int64_t parts = call.node.int_or("num_outputs", outputs);
    if (parts != outputs || parts < 1)
      return fail("{}: num_outputs is {} and the node has {} outputs; they must be equal",
                  call.node.op_type, parts, outputs);
    const std::int64_t length = dim / parts + (dim % parts != 0 ? 1 : 0);
    for (std::int64_t i = 0, left = dim; i < parts; ++i) {
      lengths.push_back(std::min(length, left));
      left -= lengths.back();
    }
  }
  std::int64_t left = dim;
  bool fits = static_cast<std::int64_t>(lengths.size()) == outputs;
  for (const std::int64_t length : lengths) {
    // The parts before one that does not fit may have used up the axis.
    fits = fits && length >= 0 && length <= left;
    if (fits) left -= length;
  }
  if (left != 0 || !fits)
    return fail(
        "{}: the lengths {} do not split axis {} of length {} into {} outputs; they must be that "
        "many, "
        "not negative, and add up to the length",
        call.node.op_type, dims_text(lengths), axis, dim, outputs);
  std::vector<View> views;
  View view{input.dims, strides_of(input.dims), 0};
  for (const std::int64_t length : lengths) {
    view.dims[axis] = length;
    views.push_back(view);
    view.offset += length * view.strides[axis];
  }
  return views;
}

Result reference_split(const Call& call) {
  SUBBYTE_TRY(const std::vector<View> views, split_views(call));
  std::vector<Tensor> results;
  for (const View& view : views) {
    SUBBYTE_TRY(Tensor output, materialize(call, call.input(0), view));
    results.push_back(std::move(output));
  }
  return results;
}

}  // namespace subbyte::reference
