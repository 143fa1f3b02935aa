// The elements of a tensor as C++ types, and how each is computed with: floats in double, rounded
// once; integers in their own type, wrapping.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "graph/graph.h"
#include "graph/half.h"

namespace subbyte::reference {

// IEEE binary16 and bfloat16 as bits, and a bool of one byte.
struct Half {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};
struct Bool {
  std::uint8_t byte;
};

// Rounded half to even; above the range is an infinity, a NaN is the quiet NaN of its sign.
Half to_half(double value);
BFloat16 to_bfloat16(double value);

template <typename T>
inline constexpr bool is_float_element = std::is_same_v<T, float> || std::is_same_v<T, double> ||
                                         std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

// What an element is computed in: double for floats, bool for Bool, the type itself for integers.
template <typename T>
using Computed = std::conditional_t<is_float_element<T>, double,
                                    std::conditional_t<std::is_same_v<T, Bool>, bool, T>>;

template <typename T>
Computed<T> widen(T element) {
  if constexpr (std::is_same_v<T, Half>) {
    return half_to_float(element.bits);
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return bfloat16_to_float(element.bits);
  } else if constexpr (std::is_same_v<T, Bool>) {
    return element.byte != 0;
  } else {
    return static_cast<Computed<T>>(element);
  }
}

template <typename T>
T narrow(Computed<T> value) {
  if constexpr (std::is_same_v<T, Half>) {
    return to_half(value);
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return to_bfloat16(value);
  } else if constexpr (std::is_same_v<T, Bool>) {
    return Bool{static_cast<std::uint8_t>(value ? 1 : 0)};
  } else {
    return static_cast<T>(value);
  }
}

// A double as an integer type: truncated toward zero, saturated at the type's limits, 0 for a NaN.
// ONNX leaves values out of range undefined.
template <typename T>
T saturate(double value) {
  static_assert(std::is_integral_v<T>);
  // max() + 1 is a power of two and so exact in double, which max() of 64 bits is not.
  const double end = std::ldexp(1.0, std::numeric_limits<T>::digits);
  if (std::isnan(value)) return 0;
  if (value >= end) return std::numeric_limits<T>::max();
  if (value <= static_cast<double>(std::numeric_limits<T>::min()))
    return std::numeric_limits<T>::min();
  return static_cast<T>(value);
}

// Integer arithmetic modulo 2^bits of T, without the undefined behaviour of signed overflow.
template <typename T>
T wrapping_add(T a, T b) {
  return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
template <typename T>
T wrapping_sub(T a, T b) {
  return static_cast<T>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
template <typename T>
T wrapping_mul(T a, T b) {
  return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

// Element i. Data may lie anywhere in a mapped file, so it is copied and not dereferenced.
template <typename T>
T element(const Tensor& tensor, std::int64_t i) {
  T value;
  std::memcpy(&value, tensor.data.data() + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
  return value;
}

// Calls f(T{}) with the element type of a float, integer or bool dtype; false for any other dtype.
template <typename F>
bool with_floats(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float32:
      return f(float{}), true;
    case DType::float64:
      return f(double{}), true;
    case DType::float16:
      return f(Half{}), true;
    case DType::bfloat16:
      return f(BFloat16{}), true;
    default:
      return false;
  }
}

template <typename F>
bool with_integers(DType dtype, F&& f) {
  switch (dtype) {
    case DType::int2:
    case DType::int4:
    case DType::int8:
      return f(std::int8_t{}), true;
    case DType::int16:
      return f(std::int16_t{}), true;
    case DType::int32:
      return f(std::int32_t{}), true;
    case DType::int64:
      return f(std::int64_t{}), true;
    case DType::uint2:
    case DType::uint4:
    case DType::uint8:
      return f(std::uint8_t{}), true;
    case DType::uint16:
      return f(std::uint16_t{}), true;
    case DType::uint32:
      return f(std::uint32_t{}), true;
    case DType::uint64:
      return f(std::uint64_t{}), true;
    default:
      return false;
  }
}

template <typename F>
bool with_numbers(DType dtype, F&& f) {
  return with_floats(dtype, f) || with_integers(dtype, f);
}

template <typename F>
bool with_elements(DType dtype, F&& f) {
  if (dtype == DType::boolean) return f(Bool{}), true;
  return with_numbers(dtype, f);
}

// A tensor of a float, integer or bool dtype from doubles, each rounded once (integers truncated
// and saturated). Without elements for any other dtype.
Tensor tensor_from(DType dtype, std::vector<std::int64_t> dims, std::span<const double> values);
inline Tensor scalar_from(DType dtype, double value) {
  return tensor_from(dtype, {}, std::span(&value, 1));
}

}  // namespace subbyte::reference
