// The integers of constants, and the 32-bit words that the GPU computes with in their place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace subbyte {

// What a word of i32 or u32 holds; `type` is not f32.
struct WordRange {
  std::int64_t least = 0, most = 0;
};
WordRange word_range(GpuType type);

// The row-major index of the first element that the word of its dtype does not hold; nullopt where
// all fit, and of tensors that are not of integers.
std::optional<std::size_t> first_wide_element(const Tensor& tensor);
// The elements of a tensor of integers in decimal, exactly, and one of them.
std::vector<std::string> integer_texts(const Tensor& tensor);
std::string integer_text(const Tensor& tensor, std::size_t index);
// As integer_values(), but nullopt where a uint64 exceeds an int64.
std::optional<std::vector<std::int64_t>> exact_integers(const Tensor& tensor);

}  // namespace subbyte
