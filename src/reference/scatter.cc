// Elements and slices picked and replaced by indices: GatherElements, GatherND, ScatterElements,
// ScatterND.
#include <algorithm>

#include "base/text.h"
#include "graph/ops.h"
#include "reference/call.h"
#include "reference/view.h"

namespace subbyte::reference {
namespace {

Expected<Dims> indices_of(const Call& call) {
  const Tensor& indices = call.input(1);
  auto values = is_integer(indices.dtype) ? integer_values(indices) : std::optional<Dims>();
  if (!values)
    return fail("{}: the indices are {}; they must be integers", call.node.op_type,
                dtype_name(indices.dtype));
  return std::move(*values);
}

Expected<std::int64_t> in_range(const Call& call, std::int64_t index, std::size_t axis,
                                std::int64_t length) {
  if (index < -length || index >= length)
    return fail("{}: index {} is out of range; axis {} has length {}", call.node.op_type, index,
                axis, length);
  return index < 0 ? index + length : index;
}

tl::unexpected<Error> wrong_shapes(const Call& call) {
  std::string text;
  for (const Tensor* input : call.inputs)
    text += (text.empty() ? "" : ", ") + dims_text(input->dims);
  return fail("{}: the shapes {} do not go together", call.node.op_type, text);
}

// For each index, the offset of the element of `data` that GatherElements or ScatterElements means
// by it.
Expected<Dims> element_offsets(const Call& call) {
  const Dims& data = call.input(0).dims;
  const Dims& dims = call.input(1).dims;
  SUBBYTE_TRY(Dims offsets, indices_of(call));
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, data.size()));
  if (dims.size() != data.size()) return wrong_shapes(call);
  for (std::size_t i = 0; i < dims.size(); ++i)
    if (i != axis && dims[i] > data[i] && !offsets.empty()) return wrong_shapes(call);
  const Dims strides = strides_of(dims), data_strides = strides_of(data);
  for (std::size_t e = 0; e < offsets.size(); ++e) {
    SUBBYTE_TRY(const std::int64_t picked, in_range(call, offsets[e], axis, data[axis]));
    std::int64_t offset = picked * data_strides[axis];
    for (std::size_t i = 0; i < dims.size(); ++i)
      if (i != axis)
        offset += static_cast<std::int64_t>(e) / strides[i] % dims[i] * data_strides[i];
    offsets[e] = offset;
  }
  return offsets;
}

// Slices of `size` elements of `data`, each meant by a tuple of indices.
struct Slices {
  Dims offsets;
  std::int64_t size = 1;
  Dims inner;  // the dimensions of a slice
};

Expected<Slices> slices_of(const Call& call, std::size_t batch_axes) {
  const Dims& data = call.input(0).dims;
  const Dims& dims = call.input(1).dims;
  SUBBYTE_TRY(const Dims indices, indices_of(call));
  const std::int64_t length = dims.empty() ? 0 : dims.back();
  if (length < 1 || batch_axes >= dims.size() || batch_axes > data.size() ||
      length > static_cast<std::int64_t>(data.size() - batch_axes))
    return wrong_shapes(call);
  for (std::size_t i = 0; i < batch_axes; ++i)
    if (dims[i] != data[i]) return wrong_shapes(call);
  const Dims strides = strides_of(data);
  const auto count = static_cast<std::size_t>(length);
  Slices slices;
  slices.inner.assign(data.begin() + static_cast<std::ptrdiff_t>(batch_axes + count), data.end());
  slices.size = product(slices.inner, 0, slices.inner.size());
  // Tuples that one batch has.
  const std::int64_t tuples = product(dims, batch_axes, dims.size() - 1);
  const std::int64_t batch_size = product(data, batch_axes, data.size());
  for (std::size_t t = 0; t < indices.size() / count; ++t) {
    std::int64_t offset = static_cast<std::int64_t>(t) / tuples * batch_size;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t axis = batch_axes + i;
      SUBBYTE_TRY(const std::int64_t picked,
                  in_range(call, indices[t * count + i], axis, data[axis]));
      offset += picked * strides[axis];
    }
    slices.offsets.push_back(offset);
  }
  return slices;
}

template <typename T>
T combined(std::string_view reduction, T old, T update) {
  if (reduction == "none") return update;
  if constexpr (std::is_same_v<T, Bool>) {
    const bool any = reduction == "add" || reduction == "max";
    return Bool{
        static_cast<std::uint8_t>(any ? (old.byte | update.byte) : (old.byte & update.byte))};
  } else if constexpr (is_float_element<T>) {
    const double a = widen(old), b = widen(update);
    return narrow<T>(reduction == "add"   ? a + b
                     : reduction == "mul" ? a * b
                     : reduction == "min" ? (std::isnan(a) || a < b ? a : b)
                                          : (std::isnan(a) || a > b ? a : b));
  } else {
    return reduction == "add"   ? wrapping_add(old, update)
           : reduction == "mul" ? wrapping_mul(old, update)
           : reduction == "min" ? std::min(old, update)
                                : std::max(old, update);
  }
}

// The data with slices replaced, or combined with the updates in order.
Result scattered(const Call& call, const Slices& slices) {
  const Tensor& data = call.input(0);
  const Tensor& updates = call.input(2);
  const std::string_view reduction = call.node.string_or("reduction", "none");
  for (const std::string_view known : {"none", "add", "mul", "min", "max"}) {
    if (reduction != known) continue;
    if (data.dtype != updates.dtype)
      return fail("{}: the data is {} and the updates are {}; they must have one dtype",
                  call.node.op_type, dtype_name(data.dtype), dtype_name(updates.dtype));
    SUBBYTE_CHECK_OK(output_bytes(call, data.dtype, data.dims));
    std::vector<std::byte> bytes(data.data.begin(), data.data.end());
    const bool is_known = with_elements(data.dtype, [&]<typename T>(T) {
      for (std::size_t s = 0; s < slices.offsets.size(); ++s)
        for (std::int64_t i = 0; i < slices.size; ++i) {
          T& place = elements_of<T>(bytes)[slices.offsets[s] + i];
          place = combined(reduction, place,
                           element<T>(updates, static_cast<std::int64_t>(s) * slices.size + i));
        }
    });
    if (!is_known) return wrong_dtype(call, data.dtype);
    return one(make_tensor(data.dtype, data.dims, std::move(bytes)));
  }
  return fail("{}: its reduction is {}; it must be none, add, mul, min or max", call.node.op_type,
              quoted(reduction));
}

Result gathered(const Call& call, const Slices& slices, Dims dims) {
  const Tensor& data = call.input(0);
  SUBBYTE_TRY(auto bytes, allocate(call, data.dtype, dims));
  const std::size_t size = dtype_size(data.dtype);
  const std::size_t run = static_cast<std::size_t>(slices.size) * size;
  for (std::size_t i = 0; i < slices.offsets.size() && run != 0; ++i)
    std::memcpy(bytes.data() + i * run,
                data.data.data() + static_cast<std::size_t>(slices.offsets[i]) * size, run);
  return one(make_tensor(data.dtype, std::move(dims), std::move(bytes)));
}

}  // namespace

Result reference_gather_elements(const Call& call) {
  Slices slices;
  SUBBYTE_TRY(slices.offsets, element_offsets(call));
  return gathered(call, slices, call.input(1).dims);
}

Result reference_gather_nd(const Call& call) {
  const std::int64_t batch_axes = call.node.int_or("batch_dims", 0);
  if (batch_axes < 0)
    return fail("{}: its batch_dims is {}; it must be at least 0", call.node.op_type, batch_axes);
  SUBBYTE_TRY(const Slices slices, slices_of(call, static_cast<std::size_t>(batch_axes)));
  Dims dims(call.input(1).dims.begin(), call.input(1).dims.end() - 1);
  dims.insert(dims.end(), slices.inner.begin(), slices.inner.end());
  return gathered(call, slices, std::move(dims));
}

Result reference_scatter(const Call& call) {
  if (call.node.op == Op::ScatterND) {
    SUBBYTE_TRY(const Slices slices, slices_of(call, 0));
    Dims wanted(call.input(1).dims.begin(), call.input(1).dims.end() - 1);
    wanted.insert(wanted.end(), slices.inner.begin(), slices.inner.end());
    if (call.input(2).dims != wanted) return wrong_shapes(call);
    return scattered(call, slices);
  }
  Slices slices;
  SUBBYTE_TRY(slices.offsets, element_offsets(call));
  if (call.input(2).dims != call.input(1).dims) return wrong_shapes(call);
  return scattered(call, slices);
}

}  // namespace subbyte::reference
