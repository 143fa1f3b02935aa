#include "samples/number_tensor.h"

#include <bit>
#include <cstring>

#include "graph/half.h"

namespace subbyte {

Tensor tensor_of(DType dtype, std::vector<std::int64_t> dims, std::span<const float> numbers) {
  const std::size_t size = dtype_size(dtype);
  std::vector<std::byte> bytes(numbers.size() * size);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double wide = numbers[i];
    const std::uint16_t half =
        dtype == DType::bfloat16
            ? static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(numbers[i]) >> 16)
            : float_to_half(numbers[i]);
    const void* const from = size == 8   ? static_cast<const void*>(&wide)
                             : size == 4 ? static_cast<const void*>(&numbers[i])
                                         : &half;
    std::memcpy(bytes.data() + i * size, from, size);
  }
  return make_tensor(dtype, std::move(dims), std::move(bytes));
}

Tensor tensor_of(DType dtype, std::vector<std::int64_t> dims,
                 std::span<const std::int64_t> numbers) {
  const std::size_t size = dtype_size(dtype);
  std::vector<std::byte> bytes(numbers.size() * size);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    std::memcpy(bytes.data() + i * size, &numbers[i], size);
  return make_tensor(dtype, std::move(dims), std::move(bytes));
}

std::vector<float> floats_of(const Tensor& tensor) {
  std::vector<float> numbers(static_cast<std::size_t>(tensor.elements()));
  read_floats(tensor, 0, tensor.elements(), numbers.data());
  return numbers;
}

}  // namespace subbyte
