// The ten reductions. Reduced axes are moved behind the kept ones, so that each output is the
// reduction of one contiguous row.
#include "reference/reduce.h"

#include "base/scalar_math.h"
#include "graph/ops.h"
#include "reference/call.h"
#include "reference/view.h"

namespace subbyte::reference {
namespace {

// One row of a tensor, element by element.
template <typename T>
struct Row {
  const Tensor& tensor;
  std::int64_t first, length;
  Computed<T> operator[](std::int64_t i) const { return widen(element<T>(tensor, first + i)); }
};

// sqrt, log and the like of an integer row: computed in double, truncated at the end.
template <typename T>
double reduce_in_double(Op op, const Row<T>& row) {
  double sum = 0;
  if (op == Op::ReduceLogSumExp) {
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < row.length; ++i) {
      const auto x = static_cast<double>(row[i]);
      if (std::isnan(x)) return x;
      largest = std::max(largest, x);
    }
    // An infinite largest element is the result; subtracting it would give a NaN.
    if (std::isinf(largest)) return largest;
    for (std::int64_t i = 0; i < row.length; ++i)
      sum += exp_of(static_cast<double>(row[i]) - largest);
    return largest + log_of(sum);
  }
  for (std::int64_t i = 0; i < row.length; ++i) {
    const auto x = static_cast<double>(row[i]);
    sum += op == Op::ReduceL1                                ? std::fabs(x)
           : op == Op::ReduceL2 || op == Op::ReduceSumSquare ? x * x
                                                             : x;
  }
  if (op == Op::ReduceL2) return std::sqrt(sum);
  if (op == Op::ReduceLogSum) return log_of(sum);
  // ONNX leaves the mean of no elements open; as ONNX Runtime it is 0.
  if (op == Op::ReduceMean) return sum / static_cast<double>(std::max<std::int64_t>(row.length, 1));
  return sum;  // ReduceL1, ReduceSum, ReduceSumSquare
}

template <typename T>
Computed<T> extreme(Op op, const Row<T>& row) {
  using C = Computed<T>;
  using Limits = std::numeric_limits<C>;
  const bool maximum = op == Op::ReduceMax;
  C result = maximum ? Limits::lowest() : Limits::max();
  if constexpr (is_float_element<T>) result = maximum ? -Limits::infinity() : Limits::infinity();
  for (std::int64_t i = 0; i < row.length; ++i) {
    const C x = row[i];
    if constexpr (is_float_element<T>) {
      if (std::isnan(x)) return x;
    }
    if (maximum ? result < x : x < result) result = x;
  }
  return result;
}

template <typename T>
double float_product(const Row<T>& row) {
  double result = 1;
  for (std::int64_t i = 0; i < row.length; ++i) result *= row[i];
  return result;
}

template <typename T>
T reduce_integers(Op op, const Row<T>& row) {
  if (op == Op::ReduceL2 || op == Op::ReduceLogSum || op == Op::ReduceLogSumExp)
    return saturate<T>(reduce_in_double(op, row));
  T result = op == Op::ReduceProd ? T{1} : T{0};
  for (std::int64_t i = 0; i < row.length; ++i) {
    const T x = row[i];
    if (op == Op::ReduceProd) {
      result = wrapping_mul(result, x);
    } else if (op == Op::ReduceSumSquare) {
      result = wrapping_add(result, wrapping_mul(x, x));
    } else if (op == Op::ReduceL1) {
      result = x < T{0} ? wrapping_sub(result, x) : wrapping_add(result, x);
    } else {
      result = wrapping_add(result, x);
    }
  }
  // The mean truncates; that of no elements was refused.
  if (op == Op::ReduceMean && row.length > 0) {
    if constexpr (std::is_signed_v<T>)
      return saturate<T>(static_cast<double>(result) / static_cast<double>(row.length));
    return static_cast<T>(static_cast<std::uint64_t>(result) /
                          static_cast<std::uint64_t>(row.length));
  }
  return result;
}

template <typename T>
Computed<T> reduce_row(Op op, const Row<T>& row) {
  if (op == Op::ReduceMax || op == Op::ReduceMin) return extreme(op, row);
  if constexpr (is_float_element<T>) {
    return op == Op::ReduceProd ? float_product(row) : reduce_in_double(op, row);
  } else if constexpr (std::is_same_v<T, Bool>) {
    return false;  // only Max and Min take bool
  } else {
    return reduce_integers(op, row);
  }
}

}  // namespace

Expected<std::vector<bool>> reduced_axes(const Call& call) {
  const std::size_t rank = call.input(0).dims.size();
  if (!call.has(1)) return fail("{}: its axes are not said", call.node.op_type);
  SUBBYTE_TRY(const Dims listed, integer_list(call, 1));
  SUBBYTE_TRY(const auto axes, checked_axes(call, listed, rank));
  std::vector<bool> reduced(rank);
  for (const std::size_t axis : axes) reduced[axis] = true;
  return reduced;
}

Result reference_reduce(const Call& call) {
  const Op op = call.node.op;
  const Tensor& input = call.input(0);
  SUBBYTE_TRY(const std::vector<bool> reduced, reduced_axes(call));
  const bool keep = call.node.int_or("keepdims", 1) != 0;
  const Dims strides = strides_of(input.dims);
  View rows;
  Dims dims;
  for (std::size_t i = 0; i < reduced.size(); ++i) {
    if (!reduced[i]) {
      rows.dims.push_back(input.dims[i]);
      rows.strides.push_back(strides[i]);
    }
    if (!reduced[i]) dims.push_back(input.dims[i]);
    if (reduced[i] && keep) dims.push_back(1);
  }
  const std::size_t kept = rows.dims.size();
  for (std::size_t i = 0; i < reduced.size(); ++i) {
    if (reduced[i]) {
      rows.dims.push_back(input.dims[i]);
      rows.strides.push_back(strides[i]);
    }
  }
  SUBBYTE_TRY(auto bytes, allocate(call, input.dtype, dims));
  SUBBYTE_TRY(const Tensor moved, materialize(call, input, rows));
  const std::int64_t length = product(rows.dims, kept, rows.dims.size());
  const bool is_bool = input.dtype == DType::boolean;
  if (is_bool && op != Op::ReduceMax && op != Op::ReduceMin) return wrong_dtype(call, input.dtype);
  if (length == 0 && !bytes.empty() && op == Op::ReduceMean && is_integer(input.dtype))
    return fail("{}: there is no mean of no integers; the reduced axes are empty",
                call.node.op_type);
  const bool known = with_elements(input.dtype, [&]<typename T>(T) {
    const std::size_t count = bytes.size() / sizeof(T);
    for (std::size_t o = 0; o < count; ++o) {
      const Row<T> row{moved, static_cast<std::int64_t>(o) * length, length};
      elements_of<T>(bytes)[o] = narrow<T>(reduce_row(op, row));
    }
  });
  if (!known) return wrong_dtype(call, input.dtype);
  return one(make_tensor(input.dtype, std::move(dims), std::move(bytes)));
}

}  // namespace subbyte::reference
