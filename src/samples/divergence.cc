#include "samples/divergence.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/scalar_math.h"

namespace subbyte {
namespace {

constexpr double kMost = 4;

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

}  // namespace

LineLoss divergence_of(const OutputContent& content, const Tensor& exact, const Tensor& found,
                       std::size_t most_lines) {
  std::size_t length = 1, step = 1;
  for (std::size_t axis = content.axis; axis < exact.dims.size(); ++axis)
    (axis == content.axis ? length : step) *= static_cast<std::size_t>(exact.dims[axis]);
  const auto elements = static_cast<std::size_t>(exact.elements());
  if (elements == 0) return {};
  const std::size_t all = elements / length, count = std::min(all, most_lines);
  LineLoss loss{0, static_cast<double>(count)};
  std::vector<double> p(length), q(length);
  std::vector<float> numbers(length);
  const auto read = [&](const Tensor& tensor, std::size_t start, std::vector<double>& line) {
    if (step == 1) {
      read_floats(tensor, static_cast<std::int64_t>(start), static_cast<std::int64_t>(length),
                  numbers.data());
    } else {
      for (std::size_t i = 0; i < length; ++i)
        read_floats(tensor, static_cast<std::int64_t>(start + i * step), 1, numbers.data() + i);
    }
    std::ranges::copy(numbers, line.begin());
    roots_of_line(content, line);
  };
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t line = i * all / count;
    const std::size_t start = line / step * length * step + line % step;
    read(exact, start, p);
    read(found, start, q);
    double sum = 0;
    for (std::size_t at = 0; at < length; ++at) sum += (p[at] - q[at]) * (p[at] - q[at]);
    loss.lost += std::isfinite(sum) ? 2 * sum : kMost;
  }
  return loss;
}

}  // namespace subbyte
