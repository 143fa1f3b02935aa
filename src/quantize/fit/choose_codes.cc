#include "quantize/fit/choose_codes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "calibrate/panels.h"
#include "quantize/codec_reference.h"
#include "quantize/fit/cholesky.h"
#include "quantize/fit/lanes.h"

namespace subbyte::fit {
namespace {

std::size_t size_of(std::int64_t count) { return static_cast<std::size_t>(count); }

// The code nearest to x.
float code_of(float x, float scale, float zero, float largest) {
  return std::nearbyint(std::min(std::max(x / scale + zero, 0.0f), largest));
}

// Choosing the rows of one part of a weight.
class Rows {
 public:
  Rows(const Metric& metric, const float* exact, std::int64_t first, std::int64_t count,
       GridMatrix& grid, calibrate::Machine& machine)
      : metric_(metric),
        k_(metric.k),
        first_(first),
        count_(count),
        padded_((count + kRowsTogether - 1) / kRowsTogether * kRowsTogether),
        steps_(grid.encoding),
        grid_(grid),
        machine_(machine),
        errors_(size_of(padded_ * k_)),
        slopes_(size_of(padded_ * k_)) {
    const float to_normal = std::ldexp(1.0f, -grid.encoding.scale_exponent);
    for (std::int64_t i = 0; i < count * k_; ++i)
      errors_[size_of(i)] = exact[first * k_ + i] * to_normal;
  }

  // Errors are then those of the codes.
  void feed_back() {
    machine_.share(padded_ / kRowsTogether, cost(),
                   [&](std::int64_t block) { feed_back(block * kRowsTogether); });
  }

  void descend(int sweeps) {
    const calibrate::Product product{
        k_, k_, {metric_.h.data(), k_, 1}, {{errors_.data(), k_, count_, slopes_.data(), k_}}};
    calibrate::multiply(std::span(&product, 1), machine_);
    sum_groups();
    machine_.share(count_, cost(), [&](std::int64_t r) {
      for (int sweep = 0; sweep < sweeps; ++sweep) {
        move_codes(r);
        for (std::int64_t g = 0; g < grid_.groups; ++g) {
          move_scale(r, g);
          move_zero(r, g);
        }
      }
      move_codes(r);
    });
  }

 private:
  double cost() const {
    return static_cast<double>(count_) * static_cast<double>(k_) * static_cast<double>(k_) / 16;
  }
  std::int64_t group_of(std::int64_t i) const { return i / grid_.encoding.group; }
  std::size_t at(std::int64_t r, std::int64_t g) const {
    return size_of((first_ + r) * grid_.groups + g);
  }
  std::uint8_t& code(std::int64_t r, std::int64_t i) {
    return grid_.codes[size_of((first_ + r) * k_ + i)];
  }

  void feed_back(std::int64_t row) {
    std::vector<float> pending(size_of(kRowsTogether * k_));
    std::array<float, kRowsTogether> error = {};
    for (std::int64_t j = k_; j-- > 0;) {
      const std::int64_t i = metric_.order[size_of(j)];
      for (std::int64_t r = 0; r < std::min(kRowsTogether, count_ - row); ++r) {
        const std::size_t g = at(row + r, group_of(i));
        const float scale = grid_.scales[g], zero = grid_.zeros[g];
        float& weight = errors_[size_of((row + r) * k_ + i)];
        const float q =
            code_of(weight + pending[size_of(r * k_ + j)], scale, zero, steps_.largest_code);
        code(row + r, i) = static_cast<std::uint8_t>(q);
        weight -= scale * (q - zero);
        error[size_of(r)] = weight;
      }
      add_multiples(error.data(), metric_.feedback.data() + j * k_, j, pending.data(), k_);
    }
  }

  // The sum of the rows of H over each group, and over its columns too.
  void sum_groups() {
    group_rows_.assign(size_of(grid_.groups * k_), 0.0f);
    for (std::int64_t i = 0; i < k_; ++i)
      add_multiple(1.0f, metric_.h.data() + i * k_, k_, group_rows_.data() + group_of(i) * k_);
  }

  void move_codes(std::int64_t r) {
    float* const e = errors_.data() + r * k_;
    float* const v = slopes_.data() + r * k_;
    for (std::int64_t i = 0; i < k_; ++i) {
      const std::size_t g = at(r, group_of(i));
      const float scale = grid_.scales[g], zero = grid_.zeros[g];
      const float now = static_cast<float>(code(r, i));
      const float step = v[i] / metric_.h[size_of(i * k_ + i)];
      const float q = code_of(scale * (now - zero) + step, scale, zero, steps_.largest_code);
      if (q == now) continue;
      const float move = scale * (q - now);
      if (!(move * (2.0f * step - move) > 0)) continue;
      code(r, i) = static_cast<std::uint8_t>(q);
      e[i] -= move;
      add_multiple(-move, metric_.h.data() + i * k_, k_, v);
    }
  }

  void move_scale(std::int64_t r, std::int64_t g) {
    float* const v = slopes_.data() + r * k_;
    float* const e = errors_.data() + r * k_;
    float& scale = grid_.scales[at(r, g)];
    const float zero = grid_.zeros[at(r, g)];
    const std::int64_t begin = g * grid_.encoding.group, end = grid_.group_end(g);
    const std::int64_t length = end - begin;
    std::array<float, 256> u = {};
    for (std::int64_t i = begin; i < end; ++i)
      u[size_of(i - begin)] = static_cast<float>(code(r, i)) - zero;
    float curve = 0;
    for (std::int64_t i = begin; i < end; ++i)
      curve += u[size_of(i - begin)] * dot(metric_.h.data() + i * k_ + begin, u.data(), length);
    if (!(curve > 0)) return;
    const float best = dot(v + begin, u.data(), length) / curve;
    const float moved = nearest_scale(scale + best), move = moved - scale;
    if (move == 0 || !(move * (2.0f * best - move) > 0)) return;
    scale = moved;
    for (std::int64_t i = begin; i < end; ++i) {
      const float d = move * u[size_of(i - begin)];
      e[i] -= d;
      if (d != 0) add_multiple(-d, metric_.h.data() + i * k_, k_, v);
    }
  }

  void move_zero(std::int64_t r, std::int64_t g) {
    if (grid_.encoding.zero_bits == 0) return;
    float* const v = slopes_.data() + r * k_;
    float* const e = errors_.data() + r * k_;
    float& zero = grid_.zeros[at(r, g)];
    const float scale = grid_.scales[at(r, g)];
    const std::int64_t begin = g * grid_.encoding.group, end = grid_.group_end(g);
    const float* const rows = group_rows_.data() + g * k_;
    float slope = 0, curve = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      slope += v[i];
      curve += rows[i];
    }
    if (!(curve > 0)) return;
    const float best = -slope / (scale * curve);
    const float moved = nearest_zero(zero + best, steps_), move = moved - zero;
    if (move == 0 || !(move * (2.0f * best - move) > 0)) return;
    zero = moved;
    for (std::int64_t i = begin; i < end; ++i) e[i] += scale * move;
    add_multiple(scale * move, rows, k_, v);
  }

  const Metric& metric_;
  std::int64_t k_, first_, count_, padded_;
  Grid steps_;
  GridMatrix& grid_;
  calibrate::Machine& machine_;
  // Of each row: w - decoded, normalised (before feed_back(): w), and H times it.
  std::vector<float> errors_, slopes_;
  std::vector<float> group_rows_;
};

// The factor of the metric in the order of choosing; false where it has none.
bool make_feedback(Metric& metric, calibrate::Machine& machine) {
  const std::int64_t k = metric.k;
  metric.order.resize(size_of(k));
  std::iota(metric.order.begin(), metric.order.end(), 0);
  std::stable_sort(metric.order.begin(), metric.order.end(), [&](std::int64_t a, std::int64_t b) {
    return metric.h[size_of(a * k + a)] < metric.h[size_of(b * k + b)];
  });
  metric.feedback.resize(size_of(k * k));
  for (std::int64_t i = 0; i < k; ++i)
    for (std::int64_t j = 0; j < k; ++j)
      metric.feedback[size_of(i * k + j)] =
          metric.h[size_of(metric.order[size_of(i)] * k + metric.order[size_of(j)])];
  if (!factor_cholesky(metric.feedback.data(), k, machine)) return false;
  std::vector<float> diagonal(size_of(k));
  for (std::int64_t i = 0; i < k; ++i) diagonal[size_of(i)] = metric.feedback[size_of(i * k + i)];
  for (std::int64_t j = 0; j < k; ++j)
    for (std::int64_t i = 0; i < j; ++i)
      metric.feedback[size_of(j * k + i)] /= diagonal[size_of(i)];
  return true;
}

// What is added to the diagonal, of its mean, of moments of k inputs over n places with that trace,
// squared, and that sum of squares.
double chance(double trace2, double squares, double k, double n) {
  constexpr double kMost = 0.95;
  const double distance = (n + 1 - 2 / k) * (squares - trace2 / k);
  const double part =
      distance > 0 ? std::min(kMost, ((1 - 2 / k) * squares + trace2) / distance) : kMost;
  return part / (1 - part);
}

}  // namespace

double damping_left(double tokens) {
  constexpr double kFew = 5000, kLeast = 0.3;
  return std::clamp(kFew / std::max(tokens, 1.0), kLeast, 1.0);
}

std::optional<Metric> make_metric(const Moments& moments, const MetricOptions& options,
                                  calibrate::Machine& machine) {
  const std::int64_t k = moments.k;
  const auto element = [&](std::int64_t i, std::int64_t j) {
    return moments.products[size_of(i * k + j)] -
           (1 - options.mean_share) * moments.means[size_of(i)] * moments.means[size_of(j)];
  };
  double trace = 0, squares = 0;
  for (std::int64_t i = 0; i < k; ++i) {
    trace += element(i, i);
    for (std::int64_t j = 0; j < k; ++j) squares += element(i, j) * element(i, j);
  }
  const double mean = trace / static_cast<double>(k);
  if (moments.count == 0 || !(mean > 0) || !std::isfinite(mean)) return std::nullopt;
  Metric metric{.k = k, .h = std::vector<float>(size_of(k * k)), .unit = mean};
  constexpr int kAttempts = 4;
  double damping = std::max(options.damping,
                            chance(trace * trace, squares, static_cast<double>(k), moments.count));
  for (int attempt = 0; attempt < kAttempts; ++attempt, damping *= 10) {
    for (std::int64_t i = 0; i < k; ++i)
      for (std::int64_t j = 0; j < k; ++j)
        metric.h[size_of(i * k + j)] =
            static_cast<float>(element(i, j) / mean + (i == j ? damping : 0));
    if (make_feedback(metric, machine)) return metric;
  }
  return std::nullopt;
}

std::vector<float> follow_drift(const Metric& metric, const Moments& moments, const float* exact,
                                std::int64_t rows, float share, calibrate::Machine& machine) {
  const std::int64_t k = metric.k;
  std::vector<float> moved(exact, exact + rows * k);
  std::vector<float> factor = metric.h;
  if (moments.drift.empty() || !factor_cholesky(factor.data(), k, machine)) return moved;
  // Columns of L as rows, for the way back.
  std::vector<float> turned(size_of(k * k)), drift(size_of(k * k)), change(size_of(rows * k));
  for (std::int64_t i = 0; i < k; ++i)
    for (std::int64_t j = 0; j <= i; ++j) turned[size_of(j * k + i)] = factor[size_of(i * k + j)];
  for (std::size_t i = 0; i < drift.size(); ++i)
    drift[i] = static_cast<float>(moments.drift[i] / metric.unit);
  const calibrate::Product product{
      k, k, {drift.data(), k, 1}, {{exact, k, rows, change.data(), k}}};
  calibrate::multiply(std::span(&product, 1), machine);
  for (std::size_t i = 0; i < moments.residual.size(); ++i)
    change[i] += static_cast<float>(moments.residual[i] / metric.unit);
  const auto solve = [&](float* x) {
    for (std::int64_t i = 0; i < k; ++i)
      x[i] = (x[i] - dot(factor.data() + i * k, x, i)) / factor[size_of(i * k + i)];
    for (std::int64_t i = k; i-- > 0;)
      x[i] = (x[i] - dot(turned.data() + i * k + i + 1, x + i + 1, k - i - 1)) /
             factor[size_of(i * k + i)];
  };
  machine.share(rows, static_cast<double>(rows * k) * static_cast<double>(k) / 8,
                [&](std::int64_t row) { solve(change.data() + row * k); });
  for (std::size_t i = 0; i < moved.size(); ++i)
    if (std::isfinite(change[i])) moved[i] += share * change[i];
  return moved;
}

void choose_codes(const Metric& metric, const float* exact, std::int64_t first, std::int64_t count,
                  int sweeps, GridMatrix& grid, calibrate::Machine& machine) {
  Rows rows(metric, exact, first, count, grid, machine);
  rows.feed_back();
  rows.descend(sweeps);
}

}  // namespace subbyte::fit
