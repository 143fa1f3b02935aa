#include "import/narrow_types.h"

#include "graph/narrow_float.h"

namespace subbyte {
namespace {

constexpr NarrowType kTypes[] = {
    {DType::float8e4m3fn, 8},   {DType::float8e4m3fnuz, 8}, {DType::float8e5m2, 8},
    {DType::float8e5m2fnuz, 8}, {DType::uint4, 4},          {DType::int4, 4},
    {DType::float4e2m1, 4},     {DType::float8e8m0, 8},     {DType::uint2, 2},
    {DType::int2, 2},
};

}  // namespace

std::optional<NarrowType> narrow_type(std::int64_t data_type) {
  for (const NarrowType& type : kTypes)
    if (static_cast<std::int64_t>(type.dtype) == data_type) return type;
  return std::nullopt;
}

Tensor unpack_narrow(const Tensor& packed, const NarrowType& type, std::vector<std::int64_t> dims,
                     std::int64_t elements) {
  const auto count = static_cast<std::size_t>(elements);
  const auto bits = static_cast<unsigned>(type.bits);
  const unsigned mask = (1U << bits) - 1, sign = 1U << (bits - 1);
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t bit = i * bits;
    const unsigned code = std::to_integer<unsigned>(packed.data[bit / 8]) >> (bit % 8) & mask;
    const bool negative = is_signed(type.dtype) && (code & sign) != 0;
    bytes[i] = static_cast<std::byte>(negative ? code | ~mask : code);
  }
  return make_tensor(type.dtype, std::move(dims), std::move(bytes));
}

}  // namespace subbyte
