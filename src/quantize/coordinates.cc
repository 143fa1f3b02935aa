#include "quantize/coordinates.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace subbyte {

bool is_map_of_coordinates(const Tensor& matrix) {
  constexpr std::int64_t kColours = 3;
  const auto is_few = [](std::int64_t size) { return size <= kColours; };
  if (matrix.dims.size() < 2) return false;
  if (std::ranges::all_of(matrix.dims, is_few)) {
    // Of a kernel, one channel alone to or from each.
    const bool is_matrix = matrix.elements() == matrix.dims[0] * matrix.dims[1];
    return is_matrix || std::min(matrix.dims[0], matrix.dims[1]) == 1;
  }
  if (matrix.dims != std::vector<std::int64_t>{4, 4}) return false;
  std::vector<float> m(16);
  read_floats(matrix, 0, 16, m.data());
  const bool row = m[12] == 0 && m[13] == 0 && m[14] == 0 && m[15] == 1;
  const bool column = m[3] == 0 && m[7] == 0 && m[11] == 0 && m[15] == 1;
  return row || column;
}

bool is_sum_of_few(const Tensor& matrix) {
  constexpr std::int64_t kLeast = 4, kMost = 64;
  const std::int64_t count = matrix.elements();
  if (count < kLeast || count > kMost) return false;
  std::vector<float> values(static_cast<std::size_t>(count));
  read_floats(matrix, 0, count, values.data());
  const bool sixteenths = std::ranges::all_of(
      values, [](float v) { return std::abs(v) <= 4 && v * 16 == std::round(v * 16); });
  return sixteenths && std::ranges::count(values, 0.0f) * 4 >= count &&
         std::ranges::count(values, 0.0f) < count;
}

bool is_table_of_boxes(const Tensor& table) {
  constexpr std::int64_t kManyPlaces = 64;
  if (table.dims.back() <= kMostCoordinates) return true;
  if (table.dims.size() < 3 || table.dims.back() < kManyPlaces) return false;
  const std::int64_t coordinates = table.dims[table.dims.size() - 2];
  return coordinates > 1 && coordinates <= kMostCoordinates &&
         coordinates * table.dims.back() == table.elements();
}

}  // namespace subbyte
