// Cast between any two of the float, integer and bool dtypes, and BitCast.
#include <algorithm>

#include "reference/call.h"

namespace subbyte::reference {
namespace {

// Float to integer truncates toward zero. What 8 and 16 bits or an unsigned type do not hold keeps
// the low bits, as in ONNX Runtime; what 32 and 64 bits do not hold saturates, and a NaN becomes 0.
// (ONNX leaves all that undefined.) Integer to a narrower integer keeps the low bits; whatever is
// not 0 is true; the rest rounds half to even.
template <typename To, typename From>
To convert(From from) {
  const Computed<From> value = widen(from);
  if constexpr (std::is_same_v<To, Bool>) {
    return narrow<Bool>(value != Computed<From>{0});
  } else if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>) {
    return narrow<To>(static_cast<double>(value));
  } else if constexpr (std::is_integral_v<To> && is_float_element<From>) {
    if constexpr (sizeof(To) < 4) return static_cast<To>(saturate<std::int32_t>(value));
    if (std::is_unsigned_v<To> && value < 0)
      return static_cast<To>(saturate<std::make_signed_t<To>>(value));
    return saturate<To>(value);
  } else {
    return static_cast<To>(value);  // not by way of double: int64 to float32 rounds once
  }
}

}  // namespace

Result reference_cast(const Call& call) {
  const Tensor& input = call.input(0);
  const std::int64_t to = call.node.int_or("to", 0);
  const DType dtype = to > 0 && to <= 16 ? static_cast<DType>(to) : DType::undefined;
  bool known_target = false;
  with_elements(dtype, [&]<typename T>(T) { known_target = true; });
  if (!known_target)
    return fail(
        "{}: data type {} (to) is not supported; a tensor can be cast to float16, bfloat16, "
        "float32, "
        "float64, bool and the integers of 8 to 64 bits",
        call.node.op_type, to);
  if (input.dtype == dtype) return one(input);
  SUBBYTE_TRY(auto bytes, allocate(call, dtype, input.dims));
  const bool known = with_elements(input.dtype, [&]<typename From>(From) {
    with_elements(dtype, [&]<typename To>(To) {
      for (std::int64_t i = 0; i < input.elements(); ++i)
        elements_of<To>(bytes)[i] = convert<To>(element<From>(input, i));
    });
  });
  if (!known) return wrong_dtype(call, input.dtype);
  return one(make_tensor(dtype, input.dims, std::move(bytes)));
}

// The same bytes under another dtype; of a bool, whatever is not 0 is true.
Result reference_bit_cast(const Call& call) {
  const Tensor& input = call.input(0);
  const std::int64_t to = call.node.int_or("to", 0);
  const DType dtype = to > 0 && to <= 16 ? static_cast<DType>(to) : DType::undefined;
  if (dtype_size(dtype) == 0 || dtype_size(dtype) != dtype_size(input.dtype))
    return fail("{}: it takes the bits of {} as data type {} (to); both must have as many",
                call.node.op_type, dtype_name(input.dtype), to);
  SUBBYTE_TRY(auto bytes, allocate(call, dtype, input.dims));
  std::ranges::copy(input.data, bytes.begin());
  if (dtype == DType::boolean)
    for (std::byte& b : bytes) b = std::byte{b != std::byte{0}};
  return one(make_tensor(dtype, input.dims, std::move(bytes)));
}

}  // namespace subbyte::reference
