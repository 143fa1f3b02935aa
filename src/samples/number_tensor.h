// Tensors of any dtype from numbers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

// As many numbers as the dims have elements, rounded to a float dtype (bfloat16: cut off).
Tensor tensor_of(DType dtype, std::vector<std::int64_t> dims, std::span<const float> numbers);
// In an integer dtype or bool that holds them.
Tensor tensor_of(DType dtype, std::vector<std::int64_t> dims,
                 std::span<const std::int64_t> numbers);
// The elements of a tensor of floats.
std::vector<float> floats_of(const Tensor& tensor);

}  // namespace subbyte
