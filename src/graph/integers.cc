#include "graph/integers.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace subbyte {
namespace {

std::uint64_t uint64_at(const Tensor& tensor, std::size_t index) {
  std::uint64_t value = 0;
  std::memcpy(&value, tensor.data.data() + index * sizeof(value), sizeof(value));
  return value;
}

}  // namespace

WordRange word_range(GpuType type) {
  if (type == GpuType::i32) {
    return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
  }
  return {0, std::numeric_limits<std::uint32_t>::max()};
}

std::optional<std::size_t> first_wide_element(const Tensor& tensor) {
  if (tensor.dtype != DType::int64 && tensor.dtype != DType::uint64) return std::nullopt;
  const auto values = integer_values(tensor);
  if (!values) return std::nullopt;
  const WordRange range = word_range(*gpu_type(tensor.dtype));
  const auto wide = std::ranges::find_if(
      *values, [&](std::int64_t v) { return v < range.least || v > range.most; });
  if (wide == values->end()) return std::nullopt;
  return static_cast<std::size_t>(wide - values->begin());
}

std::vector<std::string> integer_texts(const Tensor& tensor) {
  std::vector<std::string> texts;
  const auto values = integer_values(tensor);
  if (!values) return texts;
  for (std::size_t i = 0; i < values->size(); ++i) {
    texts.push_back(tensor.dtype == DType::uint64 ? std::to_string(uint64_at(tensor, i))
                                                  : std::to_string((*values)[i]));
  }
  return texts;
}

std::string integer_text(const Tensor& tensor, std::size_t index) {
  return integer_texts(tensor).at(index);
}

std::optional<std::vector<std::int64_t>> exact_integers(const Tensor& tensor) {
  auto values = integer_values(tensor);
  if (!values || tensor.dtype != DType::uint64) return values;
  for (std::size_t i = 0; i < values->size(); ++i) {
    if (uint64_at(tensor, i) > std::uint64_t{INT64_MAX}) return std::nullopt;
  }
  return values;
}

}  // namespace subbyte
