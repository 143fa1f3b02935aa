// Concat and Gather.
#include "reference/call.h"

namespace subbyte::reference {

Result reference_concat(const Call& call) {
  const Tensor& first = call.input(0);
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, first.dims.size()));
  Dims dims = first.dims;
  dims[axis] = 0;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    const Tensor& input = call.input(i);
    Dims expected = first.dims;
    if (input.dims.size() == expected.size()) expected[axis] = input.dims[axis];
    if (input.dtype != first.dtype || input.dims != expected)
      return fail(
          "{}: input 0 is {} of shape {} and input {} is {} of shape {}; they may differ along "
          "axis {} "
          "only",
          call.node.op_type, dtype_name(first.dtype), dims_text(first.dims), i,
          dtype_name(input.dtype), dims_text(input.dims), axis);
    if (__builtin_add_overflow(dims[axis], input.dims[axis], &dims[axis]))
      return fail("{}: the lengths along axis {} add up to more than 64 bits count",
                  call.node.op_type, axis);
  }
  SUBBYTE_TRY(auto bytes, allocate(call, first.dtype, dims));
  if (bytes.empty()) return one(make_tensor(first.dtype, std::move(dims), std::move(bytes)));
  const std::int64_t outer = product(dims, 0, axis);
  std::byte* out = bytes.data();
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const Tensor* input : call.inputs) {
      const std::size_t run = input->data.size() / static_cast<std::size_t>(outer);
      if (run == 0) continue;
      std::memcpy(out, input->data.data() + static_cast<std::size_t>(o) * run, run);
      out += run;
    }
  }
  return one(make_tensor(first.dtype, std::move(dims), std::move(bytes)));
}

// Output [outer of data, indices, inner of data]; a negative index counts from the end.
Result reference_gather(const Call& call) {
  const Tensor& data = call.input(0);
  const Tensor& indices = call.input(1);
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, data.dims.size()));
  const auto positions =
      is_integer(indices.dtype) ? integer_values(indices) : std::optional<Dims>();
  if (!positions)
    return fail("{}: the indices are {}; they must be integers", call.node.op_type,
                dtype_name(indices.dtype));
  const std::int64_t length = data.dims[axis];
  for (const std::int64_t position : *positions) {
    if (position < -length || position >= length)
      return fail("{}: index {} is out of range; axis {} has length {}", call.node.op_type,
                  position, axis, length);
  }
  Dims dims(data.dims.begin(), data.dims.begin() + static_cast<std::ptrdiff_t>(axis));
  dims.insert(dims.end(), indices.dims.begin(), indices.dims.end());
  dims.insert(dims.end(), data.dims.begin() + static_cast<std::ptrdiff_t>(axis) + 1,
              data.dims.end());
  SUBBYTE_TRY(auto bytes, allocate(call, data.dtype, dims));
  if (bytes.empty()) return one(make_tensor(data.dtype, std::move(dims), std::move(bytes)));
  const std::int64_t outer = product(data.dims, 0, axis);
  const std::size_t run = static_cast<std::size_t>(product(data.dims, axis + 1, data.dims.size())) *
                          dtype_size(data.dtype);
  std::byte* out = bytes.data();
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const std::int64_t position : *positions) {
      const std::int64_t row = o * length + (position < 0 ? position + length : position);
      std::memcpy(out, data.data.data() + static_cast<std::size_t>(row) * run, run);
      out += run;
    }
  }
  return one(make_tensor(data.dtype, std::move(dims), std::move(bytes)));
}

}  // namespace subbyte::reference
