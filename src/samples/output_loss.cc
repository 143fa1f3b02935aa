#include "samples/output_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/scalar_math.h"
#include "samples/bootstrap.h"
#include "samples/number_tensor.h"

namespace subbyte {

namespace {

// A probability that is 0 counts as this much, so that a divergence is finite.
constexpr double kLeastProbability = 1e-9;

// Of one sample: what is lost, of how much.
struct Share {
  double part = 0, whole = 0;
};

double ratio(double part, double whole) {
  if (part == 0) return 0;
  const double share = part / whole;
  // One is finite and the other is not, or nothing was expected.
  return std::isnan(share) ? std::numeric_limits<double>::infinity() : share;
}

// `finish` makes the figure of the share that all samples lose together.
Estimate estimate(std::span<const Share> shares, double (*finish)(double)) {
  std::vector<std::vector<double>> items;
  items.reserve(shares.size());
  for (const Share& share : shares) items.push_back({share.part, share.whole});
  const auto figure = [finish](std::span<const double> sums) {
    return finish(ratio(sums[0], sums[1]));
  };
  const Interval interval = bootstrap(items, figure);
  return {figure_of(items, figure), interval.low, interval.high};
}

Share difference(std::span<const float> a, std::span<const float> b) {
  Share share;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) {
      if (std::isfinite(x)) share.whole += x * x;
      continue;
    }
    share.part += (x - y) * (x - y);
    share.whole += x * x;
  }
  return share;
}

// The lines of a tensor along an axis.
class Lines {
 public:
  Lines(const std::vector<std::int64_t>& dims, std::size_t axis) {
    for (std::size_t i = 0; i < dims.size(); ++i) {
      const auto size = static_cast<std::size_t>(dims[i]);
      (i < axis ? outer_ : i == axis ? length_ : step_) *= size;
    }
  }
  std::size_t count() const { return outer_ * step_; }
  std::size_t length() const { return length_; }
  void read(std::span<const float> values, std::size_t line, std::vector<double>& to) const {
    const std::size_t start = line / step_ * length_ * step_ + line % step_;
    to.resize(length_);
    for (std::size_t i = 0; i < length_; ++i) to[i] = values[start + i * step_];
  }

 private:
  std::size_t outer_ = 1, length_ = 1, step_ = 1;
};

std::size_t largest(const std::vector<double>& line) {
  return static_cast<std::size_t>(std::max_element(line.begin(), line.end()) - line.begin());
}

void to_probabilities(const OutputContent& content, std::vector<double>& line) {
  if (content.says == Says::distribution && !content.is_logarithm) return;
  const double most = line[largest(line)];
  double sum = 0;
  for (double& value : line) {
    value = value - most > -80 ? exp_of(value - most) : 0;
    sum += value;
  }
  for (double& value : line) value /= sum;
}

double divergence(double p, double q) {
  if (!(p > 0)) return 0;
  return p * log_of(p / std::max(q, kLeastProbability));
}

struct Decisions {
  Share flips, kl;
};

Share flips_along(const Lines& lines, std::span<const float> a, std::span<const float> b) {
  Share flips{0, static_cast<double>(lines.count())};
  std::vector<double> p, q;
  for (std::size_t line = 0; line < lines.count(); ++line) {
    lines.read(a, line, p);
    lines.read(b, line, q);
    flips.part += largest(p) != largest(q);
  }
  return flips;
}

Decisions along_lines(const OutputContent& content, const Lines& lines, std::span<const float> a,
                      std::span<const float> b) {
  Decisions result{flips_along(lines, a, b), {0, static_cast<double>(lines.count())}};
  std::vector<double> p, q;
  for (std::size_t line = 0; line < lines.count(); ++line) {
    lines.read(a, line, p);
    lines.read(b, line, q);
    to_probabilities(content, p);
    to_probabilities(content, q);
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i) sum += divergence(p[i], q[i]);
    result.kl.part += std::max(sum, 0.0);
  }
  return result;
}

Decisions of_elements(std::span<const float> a, std::span<const float> b) {
  Decisions result;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool first = a[i] > 0.5f, second = b[i] > 0.5f;
    result.flips.part += first != second;
    result.flips.whole += first || second;
    const double p = a[i], q = b[i];
    result.kl.part += std::max(divergence(p, q) + divergence(1 - p, 1 - q), 0.0);
  }
  result.kl.whole = static_cast<double>(a.size());
  return result;
}

}  // namespace

OutputLoss output_loss(const OutputContent& content, std::span<const Tensor> expected,
                       std::span<const Tensor> found) {
  std::vector<Share> differences, same, flips, kl;
  const bool floats = is_float(expected.front().dtype);
  const auto itself = [](double value) { return value; };
  for (std::size_t s = 0; s < expected.size(); ++s) {
    if (expected[s].dims != found[s].dims) {
      differences.push_back({1, 1});
      continue;
    }
    if (!floats) {
      const auto a = *integer_values(expected[s]), b = *integer_values(found[s]);
      Share share{0, static_cast<double>(a.size())};
      for (std::size_t i = 0; i < a.size(); ++i) share.part += a[i] != b[i];
      differences.push_back(share);
      continue;
    }
    const auto a = floats_of(expected[s]), b = floats_of(found[s]);
    differences.push_back(difference(a, b));
    const auto& dims = expected[s].dims;
    if (a.empty()) continue;
    if (!dims.empty() && dims.back() >= 2) {
      const Lines lines(dims, dims.size() - 1);
      const Share changed = flips_along(lines, a, b);
      same.push_back({changed.whole - changed.part, changed.whole});
    }
    if (content.says == Says::numbers) continue;
    const Decisions decided = content.says == Says::probabilities
                                  ? of_elements(a, b)
                                  : along_lines(content, Lines(dims, content.axis), a, b);
    flips.push_back(decided.flips);
    kl.push_back(decided.kl);
  }
  OutputLoss loss;
  const auto root = [](double share) { return std::sqrt(share); };
  loss.relative_l2 = floats ? estimate(differences, root) : estimate(differences, itself);
  if (!same.empty()) loss.top1_agreement = estimate(same, itself);
  if (!flips.empty()) loss.flips = estimate(flips, itself);
  if (!kl.empty()) loss.kl = estimate(kl, itself);
  return loss;
}

}  // namespace subbyte
