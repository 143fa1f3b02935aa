#include "import/narrow_types.h"

#include "graph/narrow_float.h"

namespace subbyte {
namespace {

constexpr NarrowType kTypes[] = {
    {kFloat8E4M3FN, 8}, {kFloat8E4M3FNUZ, 8}, {kFloat8E5M2, 8}, {kFloat8E5M2FNUZ, 8},
    {DType::uint4, 4},  {DType::int4, 4},     {kFloat4E2M1, 4}, {kFloat8E8M0, 8},
    {DType::uint2, 2},  {DType::int2, 2},
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
