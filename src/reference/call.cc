#include "reference/call.h"

#include <algorithm>
#include <limits>

#include "reference/view.h"

namespace subbyte::reference {

std::string dims_text(std::span<const std::int64_t> dims) {
  std::string text = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (i != 0) text += ", ";
    if (i == 16 && dims.size() > 18) return text + fmt::format("... {} dimensions]", dims.size());
    text += fmt::format("{}", dims[i]);
  }
  return text + "]";
}

Expected<std::int64_t> count_elements(std::span<const std::int64_t> dims) {
  std::int64_t count = 1;
  bool overflow = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0)
      return fail("the shape {} has a negative dimension; dimensions are at least 0",
                  dims_text(dims));
    // A zero anywhere makes the whole tensor empty, however large the others are.
    overflow = overflow || __builtin_mul_overflow(count, dim, &count);
  }
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) return 0;
  if (overflow) return fail("the shape {} has more elements than 64 bits count", dims_text(dims));
  return count;
}

std::int64_t product(std::span<const std::int64_t> dims, std::size_t first, std::size_t last) {
  std::int64_t count = 1;
  for (std::size_t i = first; i < last; ++i) {
    // Only a tensor without elements has dimensions whose product does not fit: there is nothing to
    // loop over.
    if (__builtin_mul_overflow(count, dims[i], &count)) return 0;
  }
  return count;
}

Expected<std::size_t> output_bytes(const Call& call, DType dtype,
                                   std::span<const std::int64_t> dims) {
  auto count = count_elements(dims);
  if (!count) return within(call.node.op_type, std::move(count.error()));
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(*count, static_cast<std::int64_t>(dtype_size(dtype)), &bytes) ||
      bytes > call.max_bytes) {
    return fail(
        "{}: an output of shape {} ({}) would take more than {} bytes, the most that subbyte "
        "computes for one tensor; make the sizes that this operator is given smaller",
        call.node.op_type, dims_text(dims), dtype_name(dtype), call.max_bytes);
  }
  return static_cast<std::size_t>(bytes);
}

Expected<std::vector<std::byte>> allocate(const Call& call, DType dtype,
                                          std::span<const std::int64_t> dims) {
  SUBBYTE_TRY(const std::size_t bytes, output_bytes(call, dtype, dims));
  return std::vector<std::byte>(bytes);
}

namespace {

Expected<std::size_t> checked_axis(const Call& call, std::int64_t axis, std::size_t rank) {
  if (axis >= 0 && axis < static_cast<std::int64_t>(rank)) return static_cast<std::size_t>(axis);
  if (rank == 0)
    return fail("{}: axis {} is out of range; a scalar has no axes", call.node.op_type, axis);
  return fail("{}: axis {} is out of range; a tensor of rank {} has axes 0 to {}",
              call.node.op_type, axis, rank, rank - 1);
}

}  // namespace

Expected<std::size_t> axis_of(const Call& call, std::size_t rank) {
  if (call.node.find("axis") == nullptr) return fail("{}: its axis is not said", call.node.op_type);
  return checked_axis(call, call.node.int_or("axis", 0), rank);
}

Expected<std::vector<std::size_t>> checked_axes(const Call& call,
                                                std::span<const std::int64_t> axes,
                                                std::size_t rank) {
  std::vector<std::size_t> checked;
  std::vector<bool> seen(rank);
  for (const std::int64_t axis : axes) {
    SUBBYTE_TRY(const std::size_t a, checked_axis(call, axis, rank));
    if (seen[a])
      return fail("{}: axis {} comes twice; each axis may be listed once", call.node.op_type, a);
    seen[a] = true;
    checked.push_back(a);
  }
  return checked;
}

Expected<Dims> integer_list(const Call& call, std::size_t input) {
  const Tensor& tensor = call.input(input);
  std::optional<Dims> values;
  if (is_integer(tensor.dtype) && tensor.dims.size() <= 1) values = integer_values(tensor);
  if (!values) {
    return fail("{}: input {} is {} of shape {}; it must be integers of rank 1", call.node.op_type,
                input, dtype_name(tensor.dtype), dims_text(tensor.dims));
  }
  return std::move(*values);
}

Expected<Dims> broadcast_dims(const Call& call, std::span<const std::int64_t> a,
                              std::span<const std::int64_t> b) {
  Dims dims(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < dims.size(); ++i) {
    // Counted from the last axis; a missing axis is 1.
    const std::int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (da != db && da != 1 && db != 1)
      return fail(
          "{}: the shapes {} and {} do not broadcast; from the last axis on, dimensions must be "
          "equal "
          "or 1",
          call.node.op_type, dims_text(a), dims_text(b));
    dims[dims.size() - 1 - i] = da == 1 ? db : da;
  }
  return dims;
}

Expected<Tensor> broadcast_to(const Call& call, const Tensor& tensor,
                              std::span<const std::int64_t> dims) {
  if (std::ranges::equal(tensor.dims, dims)) return tensor;
  const std::size_t rank = tensor.dims.size();
  const Dims strides = strides_of(tensor.dims);
  View view{Dims(dims.begin(), dims.end()), Dims(dims.size(), 0), 0};
  bool fits = rank <= dims.size();
  for (std::size_t i = 0; fits && i < rank; ++i) {
    const std::size_t axis = dims.size() - rank + i;
    fits = tensor.dims[i] == dims[axis] || tensor.dims[i] == 1;
    if (tensor.dims[i] != 1) view.strides[axis] = strides[i];
  }
  if (!fits)
    return fail("{}: the shape {} does not broadcast to {}", call.node.op_type,
                dims_text(tensor.dims), dims_text(dims));
  return materialize(call, tensor, view);
}

std::vector<double> read_doubles(const Tensor& tensor) {
  std::vector<double> values(static_cast<std::size_t>(tensor.elements()));
  with_elements(tensor.dtype, [&]<typename T>(T) {
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<double>(widen(element<T>(tensor, static_cast<std::int64_t>(i))));
  });
  return values;
}

Expected<Tensor> make_floats(const Call& call, DType dtype, Dims dims,
                             std::span<const double> values) {
  SUBBYTE_TRY(auto bytes, allocate(call, dtype, dims));
  const bool known = with_floats(dtype, [&]<typename T>(T) {
    for (std::size_t i = 0; i < values.size(); ++i) elements_of<T>(bytes)[i] = narrow<T>(values[i]);
  });
  if (!known) return wrong_dtype(call, dtype);
  return make_tensor(dtype, std::move(dims), std::move(bytes));
}

tl::unexpected<Error> wrong_dtype(const Call& call, DType dtype) {
  return fail("{}: dtype {} is not one that this operator takes", call.node.op_type,
              dtype_name(dtype));
}

}  // namespace subbyte::reference
