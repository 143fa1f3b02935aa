#include "import/narrow_types.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

namespace subbyte {
namespace {

// Numbers of TensorProto.DataType.
constexpr std::int64_t kFloat8E4M3FN = 17, kFloat8E4M3FNUZ = 18, kFloat8E5M2 = 19,
                       kFloat8E5M2FNUZ = 20, kFloat4E2M1 = 23, kFloat8E8M0 = 24;

constexpr NarrowType kTypes[] = {
    {kFloat8E4M3FN, 8, DType::float32},
    {kFloat8E4M3FNUZ, 8, DType::float32},
    {kFloat8E5M2, 8, DType::float32},
    {kFloat8E5M2FNUZ, 8, DType::float32},
    {static_cast<std::int64_t>(DType::uint4), 4, DType::uint4},
    {static_cast<std::int64_t>(DType::int4), 4, DType::int4},
    {kFloat4E2M1, 4, DType::float32},
    {kFloat8E8M0, 8, DType::float32},
    {static_cast<std::int64_t>(DType::uint2), 2, DType::uint2},
    {static_cast<std::int64_t>(DType::int2), 2, DType::int2},
};

// A float with a sign, `exponent` bits and `mantissa` bits (ONNX, "Float stored in 8 bits").
float small_float(unsigned code, int exponent, int mantissa, int bias) {
  const unsigned fraction = code & ((1U << mantissa) - 1);
  const auto power = static_cast<int>(code >> mantissa & ((1U << exponent) - 1));
  const float sign = (code >> (exponent + mantissa) & 1) != 0 ? -1.0f : 1.0f;
  const int whole = power == 0 ? 0 : 1 << mantissa;
  const int scale = (power == 0 ? 1 : power) - bias - mantissa;
  return sign * std::ldexp(static_cast<float>(whole + static_cast<int>(fraction)), scale);
}

float float_of(std::int64_t type, unsigned code) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  switch (type) {
    case kFloat8E4M3FN:
      return (code & 0x7f) == 0x7f ? nan : small_float(code, 4, 3, 7);
    case kFloat8E4M3FNUZ:
      return code == 0x80 ? nan : small_float(code, 4, 3, 8);
    case kFloat8E5M2:
      if ((code & 0x7c) == 0x7c) {
        if ((code & 3) != 0) return nan;
        return (code & 0x80) != 0 ? -std::numeric_limits<float>::infinity()
                                  : std::numeric_limits<float>::infinity();
      }
      return small_float(code, 5, 2, 15);
    case kFloat8E5M2FNUZ:
      return code == 0x80 ? nan : small_float(code, 5, 2, 16);
    case kFloat4E2M1:
      return small_float(code, 2, 1, 1);
    default:  // float8e8m0
      return code == 0xff ? nan : std::ldexp(1.0f, static_cast<int>(code) - 127);
  }
}

}  // namespace

std::optional<NarrowType> narrow_type(std::int64_t data_type) {
  for (const NarrowType& type : kTypes)
    if (type.data_type == data_type) return type;
  return std::nullopt;
}

Tensor unpack_narrow(const Tensor& packed, const NarrowType& type, std::vector<std::int64_t> dims,
                     std::int64_t elements) {
  const auto count = static_cast<std::size_t>(elements);
  const auto bits = static_cast<unsigned>(type.bits);
  const unsigned mask = (1U << bits) - 1, sign = 1U << (bits - 1);
  std::vector<std::byte> bytes(count * dtype_size(type.dtype));
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t bit = i * bits;
    const unsigned code = std::to_integer<unsigned>(packed.data[bit / 8]) >> (bit % 8) & mask;
    if (type.dtype == DType::float32) {
      const float value = float_of(type.data_type, code);
      std::memcpy(bytes.data() + i * sizeof(value), &value, sizeof(value));
    } else {
      const bool negative = is_signed(type.dtype) && (code & sign) != 0;
      bytes[i] = static_cast<std::byte>(negative ? code | ~mask : code);
    }
  }
  return make_tensor(type.dtype, std::move(dims), std::move(bytes));
}

}  // namespace subbyte
