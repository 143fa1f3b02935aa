#include "quantize/series.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <vector>

namespace subbyte {
namespace {

constexpr std::size_t kShortest = 5;
constexpr std::size_t kFewestValues = 4;
// Of the equations that say anything, so many hold, and so many more than constants were fitted.
constexpr double kLeastShare = 0.65;
constexpr std::size_t kLeastSpare = 3;
constexpr double kFloat32Unit = 0x1p-24;
// An equation says something where its elements differ by so many times what rounding makes of it.
constexpr double kClear = 8;

struct Extent {
  double largest = 0;  // magnitude
  double range = 0;
};

Extent extent_of(std::span<const float> s) {
  const auto [least, most] = std::ranges::minmax(s);
  return {std::max(std::abs(double{least}), std::abs(double{most})), double{most} - double{least}};
}

bool has_few_values(std::span<const float> s) {
  std::vector<float> distinct;
  for (const float v : s) {
    if (std::ranges::find(distinct, v) != distinct.end()) continue;
    distinct.push_back(v);
    if (distinct.size() == kFewestValues) return false;
  }
  return true;
}

// The first elements, up to where all of them begin to repeat.
std::span<const float> first_period(std::span<const float> s) {
  for (std::size_t period = 1; period * 2 <= s.size(); ++period) {
    if (s[period] == s[0] &&
        std::equal(s.begin() + static_cast<std::ptrdiff_t>(period), s.end(), s.begin())) {
      return s.first(period);
    }
  }
  return s;
}

// How many equal elements stand in a row, as a rule: the length of most runs.
std::size_t length_of_runs(std::span<const float> s) {
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0, begin = 0; i < s.size(); ++i) {
    if (i + 1 < s.size() && s[i + 1] == s[i]) continue;
    lengths.push_back(i + 1 - begin);
    begin = i + 1;
  }
  const auto middle = lengths.begin() + static_cast<std::ptrdiff_t>(lengths.size() / 2);
  std::ranges::nth_element(lengths, middle);
  return *middle;
}

// Of equations that say something.
class Tally {
 public:
  void count(bool holds) { holds ? ++holding_ : ++broken_; }
  bool convinces(std::size_t constants) const {
    return holding_ >= constants + kLeastSpare &&
           static_cast<double>(holding_) >= kLeastShare * static_cast<double>(holding_ + broken_);
  }

 private:
  std::size_t holding_ = 0, broken_ = 0;
};

// sum = slope * middle + offset, of an element and its two neighbours.
struct Equation {
  double middle = 0, sum = 0;
  double tolerance = 0;
};

struct Line {
  double slope = 0, offset = 0;
  // How many times the tolerance the equation is off.
  double off(const Equation& e) const {
    return std::abs(e.sum - slope * e.middle - offset) / e.tolerance;
  }
};

// Those that say something, of all elements `lag` apart. Beside the rounding of the elements each
// is off by `computed(i)`.
template <typename Computed>
std::vector<Equation> equations_of(std::span<const float> s, std::size_t lag, double unit,
                                   const Computed& computed) {
  std::vector<Equation> equations;
  for (std::size_t i = lag; i + lag < s.size(); ++i) {
    const double before = s[i - lag], middle = s[i], after = s[i + lag];
    const auto [least, most] = std::minmax({before, middle, after});
    const double tolerance = 5 * unit * std::max(std::abs(least), std::abs(most)) + computed(i);
    if (most - least > kClear * tolerance) equations.push_back({middle, before + after, tolerance});
  }
  return equations;
}

bool is_piecewise_linear(std::span<const float> s, std::size_t lag, const Extent& extent,
                         double unit) {
  const double computed = 16 * kFloat32Unit * extent.largest;
  Tally tally;
  for (const Equation& e : equations_of(s, lag, unit, [&](std::size_t) { return computed; }))
    tally.count(Line{2, 0}.off(e) <= 1);
  return tally.convinces(0);
}

// Whether rounding and equal elements leave less than a third of the equations to say anything.
bool is_vague(std::span<const float> s, const Extent& extent, double unit) {
  const double computed = 16 * kFloat32Unit * extent.largest;
  return equations_of(s, 1, unit, [&](std::size_t) { return computed; }).size() * 3 + 2 < s.size();
}

bool is_geometric(std::span<const float> s, double unit) {
  const double tolerance = 8 * unit + 64 * kFloat32Unit;
  Tally tally;
  for (std::size_t i = 1; i + 1 < s.size(); ++i) {
    if (s[i] == 0 || (s[i - 1] > 0) != (s[i] > 0)) return false;
    const double before = double{s[i - 1]} / double{s[i]};
    const double after = double{s[i + 1]} / double{s[i]};
    if (std::max(before, after) - 1 > kClear * tolerance)
      tally.count(std::abs(before * after - 1) <= tolerance);
  }
  return tally.convinces(0);
}

// Fourth differences are sums of 16 elements.
bool is_slow(std::span<const float> s, const Extent& extent, double unit) {
  constexpr std::size_t kLong = 32;
  if (s.size() < kLong) return false;
  Tally tally;
  for (std::size_t i = 2; i + 2 < s.size(); ++i) {
    const auto [least, most] = std::ranges::minmax(s.subspan(i - 2, 5));
    const double local = std::max(std::abs(double{least}), std::abs(double{most}));
    const double tolerance = 16 * unit * local + 16 * kFloat32Unit * extent.largest;
    if (double{most} - double{least} <= kClear * tolerance) continue;
    const double outer = double{s[i - 2]} + double{s[i + 2]};
    const double inner = double{s[i - 1]} + double{s[i + 1]};
    tally.count(std::abs(outer - 4 * inner + 6 * double{s[i]}) <= tolerance);
  }
  return tally.convinces(0);
}

// By least squares. Where the middles are all alike the slope is 0.
Line fit(std::span<const Equation> equations) {
  double middle = 0, sum = 0;
  for (const Equation& e : equations) {
    middle += e.middle;
    sum += e.sum;
  }
  const auto count = static_cast<double>(equations.size());
  middle /= count;
  sum /= count;
  double square = 0, product = 0;
  for (const Equation& e : equations) {
    square += (e.middle - middle) * (e.middle - middle);
    product += (e.middle - middle) * (e.sum - sum);
  }
  const double slope = square > 0 ? product / square : 0;
  return {slope, sum - slope * middle};
}

// The line of those of some equations in a row that are best on one.
Line best_window(const std::vector<Equation>& equations, double& best) {
  constexpr std::size_t kWindow = 5, kStep = 2, kMost = 64;
  Line line;
  best = std::numeric_limits<double>::infinity();
  const std::size_t end = std::min(equations.size(), kMost * kStep);
  for (std::size_t first = 0; first + kWindow <= end; first += kStep) {
    const std::span<const Equation> window(equations.data() + first, kWindow);
    const Line fitted = fit(window);
    double worst = 0;
    for (const Equation& e : window) worst = std::max(worst, fitted.off(e));
    if (worst >= best) continue;
    best = worst;
    line = fitted;
  }
  return line;
}

// Least trimmed squares (Rousseeuw 1984), from the equations in a row that are best on one line.
bool is_wave(std::span<const float> s, std::size_t lag, const Extent& extent, double unit) {
  constexpr double kNear = 4, kFirstPosition = 64;
  constexpr int kRounds = 12;
  // An angle is a position times up to pi, rounded; four of them count.
  const auto computed = [&](std::size_t i) {
    const double position = static_cast<double>(i) / static_cast<double>(lag) + kFirstPosition;
    return 4 * std::numbers::pi * kFloat32Unit * position * extent.range / 2;
  };
  std::vector<Equation> equations = equations_of(s, lag, unit, computed);
  if (equations.size() < 2 + kLeastSpare) return false;
  double best = 0;
  Line line = best_window(equations, best);
  if (best > kNear) return false;
  const auto kept =
      static_cast<std::ptrdiff_t>(std::ceil(kLeastShare * static_cast<double>(equations.size())));
  for (int round = 0; round < kRounds; ++round) {
    Tally tally;
    for (const Equation& e : equations) tally.count(line.off(e) <= 1);
    if (tally.convinces(2)) return true;
    std::ranges::nth_element(equations, equations.begin() + kept - 1, {},
                             [&](const Equation& e) { return line.off(e); });
    line = fit({equations.data(), static_cast<std::size_t>(kept)});
  }
  return false;
}

}  // namespace

Series judge_series(std::span<const float> values, double unit) {
  if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); })) return Series::free;
  if (values.size() < kShortest || has_few_values(values)) return Series::plain;
  const std::span<const float> s = first_period(values);
  const Extent extent = extent_of(s);
  if (s.size() < kShortest) return Series::plain;
  constexpr std::size_t kMostInterleaved = 9;
  for (std::size_t lag = 1; lag <= kMostInterleaved; ++lag) {
    if (is_piecewise_linear(s, lag, extent, unit)) return Series::regular;
  }
  if (is_geometric(s, unit) || is_slow(s, extent, unit) || is_wave(s, 1, extent, unit))
    return Series::regular;
  const std::size_t run = length_of_runs(s);
  if (run > 1 && (is_piecewise_linear(s, run, extent, unit) || is_wave(s, run, extent, unit)))
    return Series::regular;
  return is_vague(s, extent, unit) ? Series::plain : Series::free;
}

}  // namespace subbyte
