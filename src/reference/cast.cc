// Cast between any two of the float, integer and bool dtypes, and BitCast.
#include <algorithm>
#include <cstring>

#include "graph/narrow_float.h"
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

// What fewer bits than a byte hold of an element.
template <typename T>
void keep_low_bits(std::span<std::byte> bytes, int bits) {
  const int unused = 8 - bits;
  for (std::byte& b : bytes) {
    const auto high = static_cast<T>(std::to_integer<unsigned>(b) << unused);
    b = static_cast<std::byte>(high >> unused);  // with the sign of a signed element
  }
}

// A float becomes the nearest whole number of fewer bits than a byte, as in ONNX Runtime, and not
// what is left of it without its fraction.
Tensor rounded_away(const Tensor& input) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(input.elements()) * sizeof(float));
  std::vector<float> values(static_cast<std::size_t>(input.elements()));
  read_floats(input, 0, input.elements(), values.data());
  for (float& value : values) value = std::round(value);
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return make_tensor(DType::float32, input.dims, std::move(bytes));
}

// The floats of a narrow dtype, exactly.
Tensor widened(const Tensor& input) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(input.elements()) * sizeof(float));
  for (std::int64_t i = 0; i < input.elements(); ++i) {
    const float value = narrow_to_float(input.dtype, element<std::uint8_t>(input, i));
    std::memcpy(bytes.data() + static_cast<std::size_t>(i) * sizeof(float), &value, sizeof(value));
  }
  return make_tensor(DType::float32, input.dims, std::move(bytes));
}

// By way of float32, which is what other floats are computed in.
Result cast_to_narrow(const Call& call, const Tensor& input, DType dtype) {
  const bool saturate = call.node.int_or("saturate", 1) != 0;
  SUBBYTE_TRY(auto bytes, allocate(call, dtype, input.dims));
  const bool known = with_elements(input.dtype, [&]<typename From>(From) {
    for (std::int64_t i = 0; i < input.elements(); ++i)
      elements_of<std::uint8_t>(bytes)[i] =
          float_to_narrow(dtype, convert<float>(element<From>(input, i)), saturate);
  });
  if (!known) return wrong_dtype(call, input.dtype);
  return one(make_tensor(dtype, input.dims, std::move(bytes)));
}

}  // namespace

Result reference_cast(const Call& call) {
  const std::int64_t to = call.node.int_or("to", 0);
  const bool is_dtype = to > 0 && to <= static_cast<std::int64_t>(DType::int2);
  const DType dtype = is_dtype ? static_cast<DType>(to) : DType::undefined;
  if (call.input(0).dtype == dtype) return one(call.input(0));
  Tensor input = call.input(0);
  if (is_narrow_float(input.dtype)) input = widened(input);
  if (narrow_float(dtype) != nullptr) return cast_to_narrow(call, input, dtype);
  const int bits = integer_bits(dtype);
  const bool is_part = bits > 0 && bits < 8;
  if (is_part && is_float(input.dtype)) input = rounded_away(input);
  bool known_target = false;
  with_elements(dtype, [&]<typename T>(T) { known_target = true; });
  if (!known_target)
    return fail(
        "{}: data type {} (to) is not supported; a tensor can be cast to floats but float8e8m0, "
        "bool "
        "and integers",
        call.node.op_type, to);
  SUBBYTE_TRY(auto bytes, allocate(call, dtype, input.dims));
  const std::int64_t count = input.elements();
  const bool known = with_elements(input.dtype, [&]<typename From>(From) {
    with_elements(dtype, [&]<typename To>(To) {
      for (std::int64_t i = 0; i < count; ++i)
        elements_of<To>(bytes)[i] = convert<To>(element<From>(input, i));
    });
  });
  if (!known) return wrong_dtype(call, input.dtype);
  if (is_part && is_signed(dtype)) keep_low_bits<std::int8_t>(bytes, bits);
  if (is_part && !is_signed(dtype)) keep_low_bits<std::uint8_t>(bytes, bits);
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
