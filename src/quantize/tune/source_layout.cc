#include "quantize/tune/source_layout.h"

namespace subbyte::tune {
namespace {

std::vector<std::int64_t> offsets(const std::vector<int>& axes,
                                  const std::vector<std::int64_t>& dims) {
  std::vector<std::int64_t> found{0};
  for (const int axis : axes) {
    const auto a = static_cast<std::size_t>(axis);
    std::int64_t stride = 1;
    for (std::size_t i = a + 1; i < dims.size(); ++i) stride *= dims[i];
    std::vector<std::int64_t> longer;
    longer.reserve(found.size() * static_cast<std::size_t>(dims[a]));
    for (const std::int64_t at : found)
      for (std::int64_t i = 0; i < dims[a]; ++i) longer.push_back(at + i * stride);
    found = std::move(longer);
  }
  return found;
}

}  // namespace

SourceLayout source_layout(const AxisOrder& order, const std::vector<std::int64_t>& dims) {
  return {offsets(order.rows, dims), offsets(order.k, dims)};
}

}  // namespace subbyte::tune
