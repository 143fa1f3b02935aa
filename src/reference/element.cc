#include "reference/element.h"

#include <algorithm>

namespace subbyte::reference {
namespace {

// The bits of `value` in a binary format of 16 bits with so many mantissa bits (IEEE 754, 4.3.1):
// scaled so that one unit in the last place is 1, rounded half to even by nearbyint, put back
// together.
std::uint16_t round_to_16_bits(double value, int mantissa_bits) {
  const int exponent_bits = 15 - mantissa_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const unsigned sign = std::signbit(value) ? 0x8000u : 0u;
  const unsigned infinity = ((1u << exponent_bits) - 1u) << mantissa_bits;
  const double magnitude = std::fabs(value);
  if (std::isnan(value))
    return static_cast<std::uint16_t>(sign | infinity | 1u << (mantissa_bits - 1));
  if (std::isinf(value)) return static_cast<std::uint16_t>(sign | infinity);
  if (magnitude == 0) return static_cast<std::uint16_t>(sign);
  // Subnormals share the exponent of the smallest normal number.
  const int exponent = std::max(std::ilogb(magnitude), 1 - bias);
  const double units = std::nearbyint(std::ldexp(magnitude, mantissa_bits - exponent));
  // The implicit bit adds one to the exponent field, and so does a carry out of the mantissa.
  const double bits = units + std::ldexp(exponent - (1 - bias), mantissa_bits);
  if (bits >= infinity) return static_cast<std::uint16_t>(sign | infinity);
  return static_cast<std::uint16_t>(sign | static_cast<unsigned>(bits));
}

}  // namespace

Half to_half(double value) { return Half{round_to_16_bits(value, 10)}; }

BFloat16 to_bfloat16(double value) { return BFloat16{round_to_16_bits(value, 7)}; }

Tensor tensor_from(DType dtype, std::vector<std::int64_t> dims, std::span<const double> values) {
  std::vector<std::byte> bytes(values.size() * dtype_size(dtype));
  with_elements(dtype, [&]<typename T>(T) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      T element{};
      if constexpr (std::is_integral_v<T>) {
        element = saturate<T>(values[i]);
      } else if constexpr (std::is_same_v<T, Bool>) {
        element = narrow<T>(values[i] != 0);
      } else {
        element = narrow<T>(values[i]);
      }
      std::memcpy(bytes.data() + i * sizeof(T), &element, sizeof(T));
    }
  });
  return make_tensor(dtype, std::move(dims), std::move(bytes));
}

}  // namespace subbyte::reference
