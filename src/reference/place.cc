// Which element is the greatest, running sums, ones at places, blocks of places as channels.
#include <algorithm>

#include "base/text.h"
#include "graph/ops.h"
#include "reference/call.h"
#include "reference/view.h"

namespace subbyte::reference {
namespace {

// The one element of an integer input.
Expected<std::int64_t> integer_of(const Call& call, std::size_t i) {
  const Tensor& tensor = call.input(i);
  const auto values = is_integer(tensor.dtype) ? integer_values(tensor) : std::nullopt;
  if (!values || values->size() != 1)
    return fail("{}: input {} is {} of shape {}; it must be one integer", call.node.op_type, i,
                dtype_name(tensor.dtype), dims_text(tensor.dims));
  return values->front();
}

// The rows of a tensor along one axis: element k of row r is first(r) + k * stride.
struct Rows {
  std::int64_t count, length, stride;
  std::int64_t first(std::int64_t row) const {
    return row / stride * stride * length + row % stride;
  }
};

Rows rows_along(const Dims& dims, std::size_t axis) {
  const std::int64_t stride = product(dims, axis + 1, dims.size());
  return {product(dims, 0, axis) * stride, dims[axis], stride};
}

template <typename T>
T one_element() {
  if constexpr (std::is_same_v<T, Bool>) {
    return Bool{1};
  } else if constexpr (is_float_element<T>) {
    return narrow<T>(1);
  } else {
    return T{1};
  }
}

}  // namespace

// The first or, with select_last_index, the last of the greatest (least) elements.
Result reference_arg_reduce(const Call& call) {
  const Tensor& x = call.input(0);
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, x.dims.size()));
  if (x.dims[axis] == 0)
    return fail("{}: axis {} of shape {} is empty; there must be an element to find",
                call.node.op_type, axis, dims_text(x.dims));
  Dims dims = x.dims;
  if (call.node.int_or("keepdims", 1) != 0)
    dims[axis] = 1;
  else
    dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  SUBBYTE_TRY(auto bytes, allocate(call, DType::int64, dims));
  const bool greatest = call.node.op == Op::ArgMax;
  const bool last = call.node.int_or("select_last_index", 0) != 0;
  const Rows rows = rows_along(x.dims, axis);
  const bool known = with_numbers(x.dtype, [&]<typename T>(T) {
    for (std::int64_t r = 0; r < (bytes.empty() ? 0 : rows.count); ++r) {
      const auto at = [&](std::int64_t k) {
        return widen(element<T>(x, rows.first(r) + k * rows.stride));
      };
      std::int64_t best = 0;
      for (std::int64_t k = 1; k < rows.length; ++k) {
        const bool better = greatest ? at(k) > at(best) : at(k) < at(best);
        if (better || (last && at(k) == at(best))) best = k;
      }
      elements_of<std::int64_t>(bytes)[r] = best;
    }
  });
  if (!known) return wrong_dtype(call, x.dtype);
  return one(make_tensor(DType::int64, std::move(dims), std::move(bytes)));
}

// CumSum and CumProd: what the elements up to each one join to.
Result reference_cumulative(const Call& call) {
  const bool multiplies = call.node.op == Op::CumProd;
  const Tensor& x = call.input(0);
  SUBBYTE_TRY(const std::int64_t given, integer_of(call, 1));
  SUBBYTE_TRY(const auto axes, checked_axes(call, std::span(&given, 1), x.dims.size()));
  const std::size_t axis = axes.front();
  const bool exclusive = call.node.int_or("exclusive", 0) != 0;
  const bool reverse = call.node.int_or("reverse", 0) != 0;
  SUBBYTE_TRY(auto bytes, allocate(call, x.dtype, x.dims));
  const Rows rows = rows_along(x.dims, axis);
  const bool known = with_numbers(x.dtype, [&]<typename T>(T) {
    using C = Computed<T>;
    const C first = multiplies ? C{1} : C{0};
    for (std::int64_t r = 0; r < (bytes.empty() ? 0 : rows.count); ++r) {
      C joined = first;
      for (std::int64_t k = 0; k < rows.length; ++k) {
        const std::int64_t place =
            rows.first(r) + (reverse ? rows.length - 1 - k : k) * rows.stride;
        const C before = joined;
        if constexpr (is_float_element<T>) {
          const C next = widen(element<T>(x, place));
          joined = multiplies ? joined * next : joined + next;
        } else {
          const T next = element<T>(x, place);
          joined = multiplies ? wrapping_mul(joined, next) : wrapping_add(joined, next);
        }
        elements_of<T>(bytes)[place] = narrow<T>(exclusive ? before : joined);
      }
    }
  });
  if (!known) return wrong_dtype(call, x.dtype);
  return one(make_tensor(x.dtype, x.dims, std::move(bytes)));
}

// Values are [off, on]; an index outside [-depth, depth) has no place.
Result reference_one_hot(const Call& call) {
  const Tensor& indices = call.input(0);
  const Tensor& values = call.input(2);
  if (call.input(1).elements() != 1 || values.dims != Dims{2})
    return fail("{}: the depth has shape {} and the values {}; they must be one number and [2]",
                call.node.op_type, dims_text(call.input(1).dims), dims_text(values.dims));
  const double depth_value = std::trunc(read_doubles(call.input(1))[0]);
  if (!(depth_value >= 0 && depth_value < 0x1p62))
    return fail("{}: the depth is {}; it must be at least 0", call.node.op_type, depth_value);
  const auto depth = static_cast<std::int64_t>(depth_value);
  SUBBYTE_TRY(const std::size_t axis, axis_of(call, indices.dims.size() + 1));
  Dims dims = indices.dims;
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), depth);
  SUBBYTE_TRY(auto bytes, allocate(call, values.dtype, dims));
  const std::size_t size = dtype_size(values.dtype);
  const auto put = [&](std::int64_t place, std::size_t which) {
    std::memcpy(bytes.data() + static_cast<std::size_t>(place) * size,
                values.data.data() + which * size, size);
  };
  for (std::size_t i = 0; i < bytes.size() / size; ++i) put(static_cast<std::int64_t>(i), 0);
  const std::vector<double> places = read_doubles(indices);
  const Rows rows = rows_along(dims, axis);
  for (std::size_t r = 0; r < (bytes.empty() ? 0 : places.size()); ++r) {
    double place = std::trunc(places[r]);
    if (!(place >= -depth_value && place < depth_value)) continue;
    if (place < 0) place += depth_value;
    put(rows.first(static_cast<std::int64_t>(r)) + static_cast<std::int64_t>(place) * rows.stride,
        1);
  }
  return one(make_tensor(values.dtype, std::move(dims), std::move(bytes)));
}

// The elements on and above (upper, the default) or on and below diagonal k of each matrix.
Result reference_trilu(const Call& call) {
  const Tensor& x = call.input(0);
  if (x.dims.size() < 2)
    return fail("{}: the input has shape {}; its rank must be at least 2", call.node.op_type,
                dims_text(x.dims));
  std::int64_t k = 0;
  if (call.has(1)) {
    SUBBYTE_TRY(k, integer_of(call, 1));
  }
  const bool upper = call.node.int_or("upper", 1) != 0;
  SUBBYTE_CHECK_OK(output_bytes(call, x.dtype, x.dims));
  const std::int64_t rows = x.dims[x.dims.size() - 2], cols = x.dims.back();
  const std::size_t size = dtype_size(x.dtype);
  std::vector<std::byte> bytes(x.data.begin(), x.data.end());
  for (std::size_t i = 0; i < bytes.size() / size; ++i) {
    const std::int64_t row = static_cast<std::int64_t>(i) / cols % rows;
    const std::int64_t col = static_cast<std::int64_t>(i) % cols;
    // col - row is small, row + k may leave 64 bits.
    const bool keep = upper ? col - row >= k : col - row <= k;
    if (!keep) std::memset(bytes.data() + i * size, 0, size);
  }
  return one(make_tensor(x.dtype, x.dims, std::move(bytes)));
}

Result reference_eye_like(const Call& call) {
  const Tensor& x = call.input(0);
  if (x.dims.size() != 2)
    return fail("{}: the input has shape {}; it must be a matrix", call.node.op_type,
                dims_text(x.dims));
  const auto dtype =
      static_cast<DType>(call.node.int_or("dtype", static_cast<std::int64_t>(x.dtype)));
  const std::int64_t k = call.node.int_or("k", 0);
  SUBBYTE_TRY(auto bytes, allocate(call, dtype, x.dims));
  const bool known = with_elements(dtype, [&]<typename T>(T) {
    for (std::size_t i = 0; i < bytes.size() / sizeof(T); ++i) {
      const auto place = static_cast<std::int64_t>(i);
      if (place % x.dims[1] - place / x.dims[1] == k) elements_of<T>(bytes)[i] = one_element<T>();
    }
  });
  if (!known) return wrong_dtype(call, dtype);
  return one(make_tensor(dtype, x.dims, std::move(bytes)));
}

// ONNX defines both as a reshape, a transposition and a reshape.
Result reference_depth_space(const Call& call) {
  const Tensor& x = call.input(0);
  const std::int64_t b = call.node.int_or("blocksize", 0);
  const bool to_space = call.node.op == Op::DepthToSpace;
  if (b < 1 || b > INT32_MAX)
    return fail("{}: its blocksize is {}; it must be in [1, {}]", call.node.op_type, b, INT32_MAX);
  const bool fits = x.dims.size() == 4 && (to_space ? x.dims[1] % (b * b) == 0
                                                    : x.dims[2] % b == 0 && x.dims[3] % b == 0);
  if (!fits)
    return fail("{}: the shape {} does not divide into blocks of {}", call.node.op_type,
                dims_text(x.dims), b);
  const std::int64_t n = x.dims[0], c = x.dims[1], h = x.dims[2], w = x.dims[3];
  Dims split, order, dims;
  const std::string_view mode = call.node.string_or("mode", "DCR");
  if (mode != "DCR" && mode != "CRD")
    return fail("{}: its mode is {}; it must be DCR or CRD", call.node.op_type, quoted(mode));
  // Whether channels or places of a block come first.
  const bool channels_first = mode == "CRD";
  if (to_space) {
    const std::int64_t channels = c / (b * b);
    split = channels_first ? Dims{n, channels, b, b, h, w} : Dims{n, b, b, channels, h, w};
    order = channels_first ? Dims{0, 1, 4, 2, 5, 3} : Dims{0, 3, 4, 1, 5, 2};
    dims = {n, channels, h * b, w * b};
  } else {
    split = {n, c, h / b, b, w / b, b};
    order = channels_first ? Dims{0, 1, 3, 5, 2, 4} : Dims{0, 3, 5, 1, 2, 4};
    dims = {n, c * b * b, h / b, w / b};
  }
  const Dims strides = strides_of(split);
  View view;
  for (const std::int64_t axis : order) {
    view.dims.push_back(split[static_cast<std::size_t>(axis)]);
    view.strides.push_back(strides[static_cast<std::size_t>(axis)]);
  }
  SUBBYTE_TRY(Tensor made, materialize(call, x, view));
  made.dims = std::move(dims);
  return one(std::move(made));
}

}  // namespace subbyte::reference
