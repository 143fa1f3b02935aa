#include "graph/narrow_float.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace subbyte {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

constexpr NarrowFloat kFormOfFloat8E4M3FN{4, 3, 7, 448, false, true, true};
constexpr NarrowFloat kFormOfFloat8E4M3FNUZ{4, 3, 8, 240, false, true, false};
constexpr NarrowFloat kFormOfFloat8E5M2{5, 2, 15, 57344, true, true, true};
constexpr NarrowFloat kFormOfFloat8E5M2FNUZ{5, 2, 16, 57344, false, true, false};
constexpr NarrowFloat kFormOfFloat4E2M1{2, 1, 1, 6, false, false, true};

unsigned sign_bit(const NarrowFloat& type) {
  return 1U << (type.exponent_bits + type.mantissa_bits);
}

// The code that is NaN: the negative 0 of a type that has none, else all bits of the magnitude.
unsigned nan_code(const NarrowFloat& type) {
  return type.has_negative_0 ? sign_bit(type) - 1 : sign_bit(type);
}

unsigned infinity_code(const NarrowFloat& type) {
  return ((1U << type.exponent_bits) - 1) << type.mantissa_bits;
}

// The code of a finite magnitude that is a value of the type.
unsigned code_of(const NarrowFloat& type, float magnitude) {
  if (magnitude == 0) return 0;
  const int exponent = std::max(std::ilogb(magnitude), type.least_exponent());
  const auto units = static_cast<unsigned>(std::ldexp(magnitude, type.mantissa_bits - exponent));
  // The implicit bit of a normal number adds one to the exponent's field.
  const auto field = static_cast<unsigned>(exponent - type.least_exponent());
  return (field << type.mantissa_bits) + units;
}

}  // namespace

bool is_narrow_float(DType dtype) {
  return narrow_float(dtype) != nullptr || dtype == DType::float8e8m0;
}

const NarrowFloat* narrow_float(DType dtype) {
  switch (dtype) {
    case DType::float8e4m3fn:
      return &kFormOfFloat8E4M3FN;
    case DType::float8e4m3fnuz:
      return &kFormOfFloat8E4M3FNUZ;
    case DType::float8e5m2:
      return &kFormOfFloat8E5M2;
    case DType::float8e5m2fnuz:
      return &kFormOfFloat8E5M2FNUZ;
    case DType::float4e2m1:
      return &kFormOfFloat4E2M1;
    default:
      return nullptr;
  }
}

float narrow_to_float(DType dtype, std::uint8_t code) {
  const NarrowFloat* type = narrow_float(dtype);
  if (type == nullptr) return code == 0xff ? kNaN : std::ldexp(1.0f, int{code} - 127);
  const unsigned magnitude = code & (sign_bit(*type) - 1);
  const float sign = (code & sign_bit(*type)) != 0 ? -1.0f : 1.0f;
  if (!type->has_negative_0 && code == nan_code(*type)) return kNaN;
  if (type->has_infinity && magnitude >= infinity_code(*type))
    return magnitude == infinity_code(*type) ? sign * kInfinity : kNaN;
  if (type->has_nan && type->has_negative_0 && magnitude == nan_code(*type)) return kNaN;
  const unsigned fraction = magnitude & ((1U << type->mantissa_bits) - 1);
  const auto field = static_cast<int>(magnitude >> type->mantissa_bits);
  const auto whole = field == 0 ? 0U : 1U << type->mantissa_bits;
  const int exponent = std::max(field, 1) - type->bias - type->mantissa_bits;
  return sign * std::ldexp(static_cast<float>(whole + fraction), exponent);
}

std::uint8_t float_to_narrow(DType dtype, float value, bool saturate) {
  const NarrowFloat& type = *narrow_float(dtype);
  const unsigned sign = std::signbit(value) ? sign_bit(type) : 0U;
  if (std::isnan(value)) {
    if (!type.has_nan) return static_cast<std::uint8_t>(sign_bit(type));
    return static_cast<std::uint8_t>(type.has_negative_0 ? sign | nan_code(type) : nan_code(type));
  }
  float magnitude = std::fabs(value);
  if (magnitude != 0 && !std::isinf(magnitude)) {
    const int unit = std::max(std::ilogb(magnitude), type.least_exponent()) - type.mantissa_bits;
    magnitude = std::ldexp(std::nearbyint(std::ldexp(magnitude, -unit)), unit);
  }
  unsigned code = 0;
  if (magnitude <= type.largest) {
    code = code_of(type, magnitude);
  } else if (saturate || !type.has_nan) {
    code = code_of(type, type.largest);
  } else if (type.has_infinity) {
    code = infinity_code(type);
  } else {
    return static_cast<std::uint8_t>(type.has_negative_0 ? sign | nan_code(type) : nan_code(type));
  }
  if (code == 0 && !type.has_negative_0) return 0;
  return static_cast<std::uint8_t>(sign | code);
}

}  // namespace subbyte
