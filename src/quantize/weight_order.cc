#include "quantize/weight_order.h"

#include <algorithm>

namespace subbyte {
namespace {

// The axes of the kernel: all but the first two.
std::vector<int> kernel_axes(std::size_t rank) {
  std::vector<int> axes;
  for (std::size_t axis = 2; axis < rank; ++axis) axes.push_back(static_cast<int>(axis));
  return axes;
}

// Whether each element of an optional attribute is `value`.
bool all_are(const Node& node, std::string_view attribute, std::int64_t value) {
  const auto list = node.ints(attribute);
  return !list ||
         std::all_of(list->begin(), list->end(), [value](std::int64_t i) { return i == value; });
}

}  // namespace

AxisOrder conv_weight_order(std::size_t rank) {
  AxisOrder order{{0}, kernel_axes(rank)};
  order.k.push_back(1);
  return order;
}

bool is_pixel_shuffle(const Node& node, std::span<const std::int64_t> dims) {
  const std::string_view auto_pad = node.string_or("auto_pad", "NOTSET");
  if (node.int_or("group", 1) != 1 || (auto_pad != "NOTSET" && auto_pad != "VALID")) return false;
  if (!all_are(node, "pads", 0) || !all_are(node, "dilations", 1) ||
      !all_are(node, "output_padding", 0) || node.ints("output_shape")) {
    return false;
  }
  const auto strides = node.ints("strides");
  for (std::size_t axis = 2; axis < dims.size(); ++axis) {
    const std::int64_t stride = strides && axis - 2 < strides->size() ? (*strides)[axis - 2] : 1;
    if (stride != dims[axis]) return false;
  }
  return true;
}

AxisOrder conv_transpose_weight_order(const Node& node, std::span<const std::int64_t> dims) {
  std::vector<int> kernel = kernel_axes(dims.size());
  if (is_pixel_shuffle(node, dims)) {
    AxisOrder order{{1}, {0}};
    order.rows.insert(order.rows.end(), kernel.begin(), kernel.end());
    return order;
  }
  if (node.int_or("group", 1) != 1) return {{0, 1}, std::move(kernel)};
  kernel.push_back(0);
  return {{1}, std::move(kernel)};
}

}  // namespace subbyte
