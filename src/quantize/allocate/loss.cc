#include "quantize/allocate/loss.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/scalar_math.h"
#include "samples/number_tensor.h"

namespace subbyte::allocate {
namespace {

constexpr double kMost = 4;

struct Sums {
  double lost = 0, of = 0;
};

double most_of(Sums sums) {
  if (sums.lost == 0) return 0;
  const double share = sums.lost / sums.of;
  return share < kMost ? share : kMost;
}

// The square root of each probability along one line.
void roots_of_line(const OutputContent& content, std::vector<double>& line) {
  if (content.says == Says::distribution && !content.is_logarithm) {
    for (double& p : line) p = p > 0 ? std::sqrt(p) : 0;
    return;
  }
  const double most = *std::ranges::max_element(line);
  double sum = 0;
  for (double& x : line) {
    x = x - most > -80 ? exp_of(x - most) : 0;
    sum += x;
  }
  for (double& x : line) x = std::sqrt(x / sum);
}

Sums of_distribution(const OutputContent& content, const Tensor& exact, const Tensor& found) {
  const auto a = floats_of(exact), b = floats_of(found);
  std::size_t length = 1, step = 1;
  for (std::size_t axis = content.axis; axis < exact.dims.size(); ++axis)
    (axis == content.axis ? length : step) *= static_cast<std::size_t>(exact.dims[axis]);
  if (a.empty()) return {};
  Sums sums{0, static_cast<double>(a.size() / length)};
  std::vector<double> p(length), q(length);
  for (std::size_t line = 0; line < a.size() / length; ++line) {
    const std::size_t start = line / step * length * step + line % step;
    for (std::size_t i = 0; i < length; ++i) {
      p[i] = a[start + i * step];
      q[i] = b[start + i * step];
    }
    roots_of_line(content, p);
    roots_of_line(content, q);
    double sum = 0;
    for (std::size_t i = 0; i < length; ++i) sum += (p[i] - q[i]) * (p[i] - q[i]);
    sums.lost += std::isfinite(sum) ? 2 * sum : kMost;
  }
  return sums;
}

Sums of_numbers(const Tensor& exact, const Tensor& found) {
  Sums sums;
  if (!is_float(exact.dtype)) {
    const auto a = integer_values(exact), b = integer_values(found);
    if (!a || !b) return {};
    sums.of = static_cast<double>(a->size());
    for (std::size_t i = 0; i < a->size(); ++i) sums.lost += (*a)[i] != (*b)[i];
    return sums;
  }
  const auto a = floats_of(exact), b = floats_of(found);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    if (!std::isfinite(x)) continue;
    sums.of += x * x;
    // What is finite in the one and not in the other is all lost.
    sums.lost += std::isfinite(y) ? (x - y) * (x - y) : kMost * std::max(x * x, 1.0);
  }
  return sums;
}

using Outputs = std::vector<std::vector<Tensor>>;

double of_one_kind(const std::vector<OutputContent>& contents, const Outputs& exact,
                   const Outputs& found) {
  double all = 0;
  for (std::size_t o = 0; o < contents.size(); ++o) {
    const bool is_distribution =
        contents[o].says == Says::distribution || contents[o].says == Says::logits;
    Sums sums;
    for (std::size_t s = 0; s < exact.size(); ++s) {
      const Tensor &a = exact[s][o], &b = found[s][o];
      const Sums more = a.dims != b.dims                       ? Sums{1, 1}
                        : is_distribution && is_float(a.dtype) ? of_distribution(contents[o], a, b)
                                                               : of_numbers(a, b);
      sums.lost += more.lost;
      sums.of += more.of;
    }
    all += most_of(sums);
  }
  return contents.empty() ? 0 : all / static_cast<double>(contents.size());
}

}  // namespace

double output_loss_of(const std::vector<OutputContent>& contents, const Outputs& exact,
                      const Outputs& found, std::span<const std::size_t> kinds) {
  if (kinds.empty()) return of_one_kind(contents, exact, found);
  std::map<std::size_t, std::pair<Outputs, Outputs>> by_kind;
  for (std::size_t s = 0; s < exact.size(); ++s) {
    auto& [a, b] = by_kind[kinds[s]];
    a.push_back(exact[s]);
    b.push_back(found[s]);
  }
  double all = 0;
  for (const auto& [kind, outputs] : by_kind)
    all += of_one_kind(contents, outputs.first, outputs.second);
  return all / static_cast<double>(by_kind.size());
}

}  // namespace subbyte::allocate
