#include "quantize/made_by_rule.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "graph/grid.h"
#include "graph/half.h"
#include "graph/ops.h"
#include "quantize/series.h"

namespace subbyte {
namespace {

// The largest relative error of an element, by which precision all of some elements have.
double unit_of(std::span<const float> some) {
  if (std::ranges::all_of(some, [](float v) { return half_to_float(float_to_half(v)) == v; }))
    return 0x1p-11;
  if (std::ranges::all_of(some,
                          [](float v) { return bfloat16_to_float(float_to_bfloat16(v)) == v; }))
    return 0x1p-8;
  return 0x1p-24;
}

std::vector<float> elements(const Tensor& tensor, std::int64_t first, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  read_floats(tensor, first, count, values.data());
  return values;
}

// Those of an axis that are read one after the other, of a tensor as [outer, size, inner].
struct Axis {
  std::int64_t size = 1;
  std::int64_t inner = 1;
};

std::vector<Axis> axes_of(const Tensor& tensor) {
  std::vector<Axis> axes;
  std::int64_t inner = 1;
  for (auto dim = tensor.dims.rbegin(); dim != tensor.dims.rend(); ++dim) {
    if (*dim > 1) axes.push_back({*dim, inner});
    inner *= *dim;
  }
  return axes;
}

constexpr std::int64_t kLongestLine = 1024;

// The beginning of a line along an axis.
std::vector<float> line_of(const Tensor& tensor, const Axis& axis, std::int64_t line) {
  const std::int64_t first = line / axis.inner * axis.size * axis.inner + line % axis.inner;
  const std::int64_t count = std::min(axis.size, kLongestLine);
  if (axis.inner == 1) return elements(tensor, first, count);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i)
    read_floats(tensor, first + i * axis.inner, 1, &values[static_cast<std::size_t>(i)]);
  return values;
}

bool holds_series_along(const Tensor& table, const Axis& axis, double unit) {
  constexpr std::int64_t kLines = 48, kDoubtful = 4;
  const std::int64_t all = table.elements() / axis.size;
  const std::int64_t count = std::min(all, kLines);
  std::int64_t regular = 0, free = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const Series series = judge_series(line_of(table, axis, i * all / count), unit);
    regular += series == Series::regular ? 1 : 0;
    free += series == Series::free ? 1 : 0;
    if (free >= kDoubtful && free > regular) return false;
  }
  // Where few lines are no constants, those of a trained weight may be regular by chance.
  constexpr std::int64_t kShareOfCount = 8, kShareOfFree = 9;
  return regular > 0 && regular * kShareOfCount >= count && regular >= kShareOfFree * free;
}

// A matrix in rows.
struct Matrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<float> values;

  float at(std::int64_t row, std::int64_t column) const {
    return values[static_cast<std::size_t>(row * columns + column)];
  }
};

Matrix transposed(const Matrix& from) {
  Matrix to{from.columns, from.rows, std::vector<float>(from.values.size())};
  for (std::int64_t i = 0; i < to.rows; ++i) {
    for (std::int64_t j = 0; j < to.columns; ++j)
      to.values[static_cast<std::size_t>(i * to.columns + j)] = from.at(j, i);
  }
  return to;
}

// The elements [begin, end) of a row that are not 0.
struct Run {
  std::int64_t begin = 0, end = 0;
};

// Whether a row is one run of numbers that rise and then fall.
bool has_one_hill(const Matrix& matrix, std::int64_t row, Run& run) {
  const auto is_zero = [&](std::int64_t j) { return matrix.at(row, j) == 0; };
  run.begin = 0;
  while (run.begin < matrix.columns && is_zero(run.begin)) ++run.begin;
  run.end = run.begin;
  while (run.end < matrix.columns && !is_zero(run.end)) ++run.end;
  for (std::int64_t j = run.end; j < matrix.columns; ++j)
    if (!is_zero(j)) return false;
  bool falls = false;
  for (std::int64_t j = run.begin + 1; j < run.end; ++j) {
    const bool down = matrix.at(row, j) < matrix.at(row, j - 1);
    const bool up = matrix.at(row, j) > matrix.at(row, j - 1);
    if (up && falls) return false;
    falls = falls || down;
  }
  return true;
}

bool is_row_of_filters(const Matrix& matrix) {
  constexpr std::size_t kFewestFilters = 4;
  std::vector<Run> runs;
  std::int64_t filled = 0;
  for (std::int64_t i = 0; i < matrix.rows; ++i) {
    Run run;
    if (!has_one_hill(matrix, i, run)) return false;
    if (run.begin == run.end) continue;
    filled += run.end - run.begin;
    runs.push_back(run);
  }
  const auto after = [](const Run& a, const Run& b) { return a.begin < b.begin || a.end < b.end; };
  const auto before = [](const Run& a, const Run& b) { return a.begin > b.begin || a.end > b.end; };
  // A diagonal of other numbers than one is what scales of channels become.
  const auto count = static_cast<std::int64_t>(runs.size());
  return runs.size() >= kFewestFilters && filled * 2 <= matrix.rows * matrix.columns &&
         filled * 2 >= count * 3 &&
         (std::ranges::adjacent_find(runs, before) == runs.end() ||
          std::ranges::adjacent_find(runs, after) == runs.end());
}

// A convolution's weight in planes, one for each pair of channels, those that are 0 left out.
struct Planes {
  std::vector<std::vector<float>> planes;
  std::int64_t size = 1;
};

// Empty where there are more than fixed kernels have: one for each channel.
Planes planes_of(const Tensor& weight) {
  Planes found;
  for (std::size_t i = 2; i < weight.dims.size(); ++i) found.size *= weight.dims[i];
  if (found.size == 0) return found;
  const std::int64_t count = weight.elements() / found.size;
  const auto most = static_cast<std::size_t>(std::max(weight.dims[0], weight.dims[1]));
  for (std::int64_t i = 0; i < count; ++i) {
    std::vector<float> plane = elements(weight, i * found.size, found.size);
    if (std::ranges::all_of(plane, [](float v) { return v == 0; })) continue;
    found.planes.push_back(std::move(plane));
    if (found.planes.size() > most) return {};
  }
  return found;
}

bool is_one_value(std::span<const float> plane) {
  return std::ranges::all_of(plane, [&](float v) { return v == plane[0]; });
}

// Whether a plane is what it is when turned by half a turn, or the negative of it.
bool is_symmetrical(std::span<const float> plane, double unit) {
  double largest = 0;
  for (const float v : plane) largest = std::max(largest, std::abs(double{v}));
  const double tolerance = 8 * unit * largest;
  bool even = true, odd = true;
  for (std::size_t i = 0; i * 2 + 1 < plane.size(); ++i) {
    const double one = plane[i], other = plane[plane.size() - 1 - i];
    even = even && std::abs(one - other) <= tolerance;
    odd = odd && std::abs(one + other) <= tolerance;
  }
  if (plane.size() % 2 == 1) odd = odd && std::abs(plane[plane.size() / 2]) <= tolerance;
  return even || odd;
}

}  // namespace

bool holds_series(const Tensor& table) {
  constexpr std::int64_t kShortest = 5, kSampled = 4096;
  if (table.elements() < kShortest) return false;
  const std::int64_t middle = table.elements() / 2;
  const std::int64_t sampled = std::min(kSampled, table.elements() - middle);
  const double unit = unit_of(elements(table, middle, sampled));
  return std::ranges::any_of(axes_of(table), [&](const Axis& axis) {
    return axis.size >= kShortest && holds_series_along(table, axis, unit);
  });
}

bool is_filter_bank(const Tensor& matrix) {
  const std::vector<Axis> axes = axes_of(matrix);
  if (axes.size() != 2) return false;
  // Weights have negative numbers among their first; and no bank is so large.
  constexpr std::int64_t kFirst = 256, kMost = std::int64_t{1} << 22;
  const auto is_positive = [](float v) { return v >= 0 && std::isfinite(v); };
  const std::int64_t all = matrix.elements();
  if (all > kMost) return false;
  if (!std::ranges::all_of(elements(matrix, 0, std::min(kFirst, all)), is_positive)) return false;
  const Matrix rows{axes[1].size, axes[0].size, elements(matrix, 0, all)};
  if (!std::ranges::all_of(rows.values, is_positive)) return false;
  return is_row_of_filters(rows) || is_row_of_filters(transposed(rows));
}

bool is_fixed_kernel(const Tensor& weight, bool each_channel_alone) {
  constexpr std::int64_t kSmallestPlane = 3;
  if (weight.dims.size() < 3) return false;
  const Planes found = planes_of(weight);
  const auto& planes = found.planes;
  if (planes.empty() || found.size < kSmallestPlane) return false;
  if (std::ranges::all_of(planes, is_one_value)) return each_channel_alone;
  const bool all_alike = planes.size() > 1 && std::ranges::all_of(planes, [&](const auto& plane) {
                           return plane == planes[0];
                         });
  if (all_alike) return true;
  std::vector<float> first;
  for (const auto& plane : planes) first.insert(first.end(), plane.begin(), plane.end());
  const double unit = unit_of(first);
  return std::ranges::all_of(planes,
                             [&](const auto& plane) { return is_symmetrical(plane, unit); });
}

bool is_made_by_rule(const Graph& graph, ValueId constant, std::span<const NodeId> readers) {
  const Tensor& tensor = *graph.values[constant].constant;
  if (has_grid(tensor)) return false;
  if (holds_series(tensor) || is_filter_bank(tensor)) return true;
  return std::ranges::any_of(readers, [&](NodeId n) {
    const Node& node = graph.nodes[n];
    if (node.op != Op::Conv && node.op != Op::ConvTranspose) return false;
    if (node.inputs[1] != constant) return false;
    return is_fixed_kernel(tensor, node.int_or("group", 1) == tensor.dims[0]);
  });
}

}  // namespace subbyte
