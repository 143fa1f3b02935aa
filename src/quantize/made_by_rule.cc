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

// The largest relative errors that elements may have by the precisions that hold all of some, the
// finest first. Of numbers rounded to bfloat16 most are halves too.
std::vector<double> units_of(std::span<const float> some) {
  std::vector<double> units;
  if (std::ranges::all_of(some, [](float v) { return half_to_float(float_to_half(v)) == v; }))
    units.push_back(0x1p-11);
  if (std::ranges::all_of(some,
                          [](float v) { return bfloat16_to_float(float_to_bfloat16(v)) == v; }))
    units.push_back(0x1p-8);
  if (units.empty()) units.push_back(0x1p-24);
  return units;
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

double largest_of(std::span<const float> plane) {
  double largest = 0;
  for (const float v : plane) largest = std::max(largest, std::abs(double{v}));
  return largest;
}

// Whether a plane is what it is when turned by half a turn, or the negative of it, elements being
// equal up to `tolerance` of the largest.
bool is_symmetrical(std::span<const float> plane, double tolerance) {
  const double most = tolerance * largest_of(plane);
  bool even = true, odd = true;
  for (std::size_t i = 0; i * 2 + 1 < plane.size(); ++i) {
    const double one = plane[i], other = plane[plane.size() - 1 - i];
    even = even && std::abs(one - other) <= most;
    odd = odd && std::abs(one + other) <= most;
  }
  if (plane.size() % 2 == 1) odd = odd && std::abs(plane[plane.size() / 2]) <= most;
  return even || odd;
}

bool are_proportional(std::span<const float> a, std::span<const float> b, double tolerance) {
  const auto at = static_cast<std::size_t>(
      std::ranges::max_element(a, {}, [](float v) { return std::abs(v); }) - a.begin());
  const double factor = double{b[at]} / double{a[at]};
  const double most = tolerance * largest_of(b);
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::abs(double{b[i]} - factor * double{a[i]}) > most) return false;
  return true;
}

// How many planes are no multiples of those before; counts to `most`.
std::size_t count_different(const std::vector<std::vector<float>>& planes, double tolerance,
                            std::size_t most) {
  std::vector<std::span<const float>> different;
  for (const auto& plane : planes) {
    const bool known = std::ranges::any_of(
        different, [&](auto other) { return are_proportional(other, plane, tolerance); });
    if (!known) different.emplace_back(plane);
    if (different.size() == most) break;
  }
  return different.size();
}

// Whether the elements of a plane are to each other as small whole numbers, as those that find
// edges.
bool has_whole_ratios(std::span<const float> plane, double tolerance) {
  constexpr double kMost = 64;
  double least = 0;
  for (const float v : plane) {
    const double magnitude = std::abs(double{v});
    if (magnitude > 0 && (least == 0 || magnitude < least)) least = magnitude;
  }
  return std::ranges::all_of(plane, [&](float v) {
    const double ratio = double{v} / least;
    return std::abs(ratio) <= kMost &&
           std::abs(ratio - std::round(ratio)) <= tolerance * std::max(1.0, std::abs(ratio));
  });
}

// Whether kernels are symmetrical by design. Training may be held to symmetry too, but then finds
// another kernel for each channel; and few elements that are known to few bits are alike by chance.
bool are_symmetrical_by_rule(const Planes& found, double unit) {
  constexpr std::size_t kMostDifferent = 4;
  constexpr std::int64_t kLong = 16;
  constexpr double kLeastEvidence = 16;  // bits
  const double tolerance = 8 * unit;
  const auto& planes = found.planes;
  if (!std::ranges::all_of(planes,
                           [&](const auto& plane) { return is_symmetrical(plane, tolerance); }))
    return false;
  if (std::ranges::all_of(planes,
                          [&](const auto& plane) { return has_whole_ratios(plane, tolerance); }))
    return true;
  const std::int64_t pairs_each = found.size / 2;
  const double pairs = static_cast<double>(pairs_each) * static_cast<double>(planes.size());
  const int bits = std::ilogb(1 / (2 * tolerance));
  if (pairs * bits < kLeastEvidence) return false;
  return found.size >= kLong ||
         count_different(planes, tolerance, kMostDifferent + 1) <= kMostDifferent;
}

}  // namespace

bool holds_series(const Tensor& table) {
  constexpr std::int64_t kShortest = 5, kSampled = 4096;
  if (table.elements() < kShortest) return false;
  const std::int64_t middle = table.elements() / 2;
  const std::int64_t sampled = std::min(kSampled, table.elements() - middle);
  return std::ranges::any_of(units_of(elements(table, middle, sampled)), [&](double unit) {
    return std::ranges::any_of(axes_of(table), [&](const Axis& axis) {
      return axis.size >= kShortest && holds_series_along(table, axis, unit);
    });
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
  return are_symmetrical_by_rule(found, units_of(first).back());
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
