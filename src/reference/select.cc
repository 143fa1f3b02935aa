// Max, Min, Mean and Sum of any number of inputs; Clip; Where.
#include "graph/ops.h"
#include "reference/call.h"

namespace subbyte::reference {
namespace {

// As NumPy's maximum and minimum: a NaN on either side is the result.
template <typename C>
C larger(C a, C b) {
  if constexpr (std::is_same_v<C, double>) {
    if (std::isnan(a)) return a;
    if (std::isnan(b)) return b;
  }
  return a < b ? b : a;
}

template <typename C>
C smaller(C a, C b) {
  if constexpr (std::is_same_v<C, double>) {
    if (std::isnan(a)) return a;
    if (std::isnan(b)) return b;
  }
  return b < a ? b : a;
}

template <typename C>
C combine(Op op, C a, C b) {
  if (op == Op::Max) return larger(a, b);
  if (op == Op::Min) return smaller(a, b);
  if constexpr (std::is_same_v<C, double>) {
    return a + b;
  } else {
    return wrapping_add(a, b);
  }
}

Expected<void> check_one_dtype(const Call& call) {
  for (std::size_t i = 1; i < call.inputs.size(); ++i) {
    if (call.has(i) && call.input(i).dtype != call.input(0).dtype)
      return fail("{}: inputs 0 and {} are {} and {}; they must have one dtype", call.node.op_type,
                  i, dtype_name(call.input(0).dtype), dtype_name(call.input(i).dtype));
  }
  return {};
}

}  // namespace

Result reference_variadic(const Call& call) {
  const Op op = call.node.op;
  const DType dtype = call.input(0).dtype;
  SUBBYTE_CHECK_OK(check_one_dtype(call));
  Dims dims = call.input(0).dims;
  for (const Tensor* input : call.inputs) {
    SUBBYTE_TRY(dims, broadcast_dims(call, dims, input->dims));
  }
  std::vector<Tensor> inputs;
  for (const Tensor* input : call.inputs) {
    SUBBYTE_TRY(Tensor wide, broadcast_to(call, *input, dims));
    inputs.push_back(std::move(wide));
  }
  SUBBYTE_TRY(auto bytes, allocate(call, dtype, dims));
  const bool known = with_numbers(dtype, [&]<typename T>(T) {
    for (std::int64_t i = 0; i < inputs[0].elements(); ++i) {
      auto value = widen(element<T>(inputs[0], i));
      for (std::size_t n = 1; n < inputs.size(); ++n) {
        value = combine(op, value, widen(element<T>(inputs[n], i)));
        // A sum leaves the range of float32 where ONNX Runtime's does.
        if constexpr (is_float_element<T> && !std::is_same_v<T, double>)
          value = static_cast<float>(value);
      }
      if constexpr (is_float_element<T>) {
        if (op == Op::Mean) value /= static_cast<double>(inputs.size());
      }
      elements_of<T>(bytes)[i] = narrow<T>(value);
    }
  });
  const bool adds = op == Op::Mean || op == Op::Sum;
  if (!known || (adds && !is_float(dtype))) return wrong_dtype(call, dtype);
  return one(make_tensor(dtype, std::move(dims), std::move(bytes)));
}

// Clip's bound `i`: where it is absent that of floats is the largest finite value, as ONNX says.
template <typename T>
Computed<T> bound_of(const Call& call, std::size_t i) {
  if (call.has(i)) return widen(element<T>(call.input(i), 0));
  if constexpr (std::is_same_v<T, Half>) {
    return i == 1 ? -65504.0 : 65504.0;
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return i == 1 ? -0x1.fep127 : 0x1.fep127;
  } else {
    using Limits = std::numeric_limits<T>;
    return static_cast<Computed<T>>(i == 1 ? Limits::lowest() : Limits::max());
  }
}

// min(max(x, low), high): where the bounds cross the upper one wins, as opset 13 says. NaN stays,
// and a bound that is NaN bounds nothing, as in ONNX Runtime.
Result reference_clip(const Call& call) {
  const Tensor& input = call.input(0);
  SUBBYTE_CHECK_OK(check_one_dtype(call));
  for (const std::size_t bound : {std::size_t{1}, std::size_t{2}}) {
    if (call.has(bound) && call.input(bound).elements() != 1)
      return fail("{}: input {} has shape {}; a bound must be a scalar", call.node.op_type, bound,
                  dims_text(call.input(bound).dims));
  }
  SUBBYTE_TRY(auto bytes, allocate(call, input.dtype, input.dims));
  const bool known = with_numbers(input.dtype, [&]<typename T>(T) {
    const auto low = bound_of<T>(call, 1), high = bound_of<T>(call, 2);
    for (std::int64_t i = 0; i < input.elements(); ++i) {
      auto value = widen(element<T>(input, i));
      if (value < low) value = low;
      if (high < value) value = high;
      elements_of<T>(bytes)[i] = narrow<T>(value);
    }
  });
  if (!known) return wrong_dtype(call, input.dtype);
  return one(make_tensor(input.dtype, input.dims, std::move(bytes)));
}

Result reference_where(const Call& call) {
  const DType dtype = call.input(1).dtype;
  if (call.input(0).dtype != DType::boolean || call.input(2).dtype != dtype)
    return fail("{}: the inputs are {}, {} and {}; they must be bool and twice the same dtype",
                call.node.op_type, dtype_name(call.input(0).dtype), dtype_name(dtype),
                dtype_name(call.input(2).dtype));
  SUBBYTE_TRY(Dims dims, broadcast_dims(call, call.input(1).dims, call.input(2).dims));
  SUBBYTE_TRY(dims, broadcast_dims(call, call.input(0).dims, dims));
  SUBBYTE_TRY(const Tensor condition, broadcast_to(call, call.input(0), dims));
  SUBBYTE_TRY(const Tensor x, broadcast_to(call, call.input(1), dims));
  SUBBYTE_TRY(const Tensor y, broadcast_to(call, call.input(2), dims));
  SUBBYTE_TRY(auto bytes, allocate(call, dtype, dims));
  const std::size_t size = dtype_size(dtype);
  for (std::size_t i = 0; i < condition.data.size(); ++i) {
    const Tensor& from = widen(element<Bool>(condition, static_cast<std::int64_t>(i))) ? x : y;
    std::memcpy(bytes.data() + i * size, from.data.data() + i * size, size);
  }
  return one(make_tensor(dtype, std::move(dims), std::move(bytes)));
}

}  // namespace subbyte::reference
