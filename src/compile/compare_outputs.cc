#include "compile/compare_outputs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/scalar_math.h"
#include "samples/number_tensor.h"

namespace subbyte {

namespace {

// Of a probability that is rounded to 0.
constexpr double kLeastLog = -100;

std::size_t width_of(const Tensor& tensor) {
  return tensor.dims.empty() ? 1 : static_cast<std::size_t>(tensor.dims.back());
}

// The logarithms of a row's probabilities.
void to_logs(const OutputContent& content, std::span<const float> row, std::vector<double>& logs) {
  logs.assign(row.begin(), row.end());
  if (content.says == Says::distribution) {
    if (content.is_logarithm) return;
    for (double& x : logs) x = x > 0 ? std::max(kLeastLog, log_of(x)) : kLeastLog;
    return;
  }
  const double most = *std::max_element(logs.begin(), logs.end());
  double sum = 0;
  for (const double x : logs) sum += exp_of(x - most);
  const double shift = most + log_of(sum);
  for (double& x : logs) x -= shift;
}

std::int64_t largest(std::span<const float> row) {
  std::int64_t best = -1;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (std::isnan(row[i])) continue;
    if (best < 0 || row[i] > row[static_cast<std::size_t>(best)])
      best = static_cast<std::int64_t>(i);
  }
  return best;
}

}  // namespace

void SquaredError::add(const Tensor& expected, const Tensor& found) {
  if (expected.dims != found.dims) {
    error = std::numeric_limits<double>::infinity();
    return;
  }
  const auto a = floats_of(expected), b = floats_of(found);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isfinite(a[i])) size += static_cast<double>(a[i]) * a[i];
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double difference = static_cast<double>(a[i]) - b[i];
    error += std::isfinite(difference) ? difference * difference
                                       : std::numeric_limits<double>::infinity();
  }
}

double SquaredError::relative() const { return error == 0 ? 0 : std::sqrt(error / size); }

double SquaredError::sqnr_db() const {
  if (error == 0) return std::numeric_limits<double>::infinity();
  return 10 * log10_of(size / error);
}

std::vector<std::int64_t> largest_of_rows(const Tensor& tensor) {
  const auto values = floats_of(tensor);
  const std::size_t width = width_of(tensor);
  std::vector<std::int64_t> found;
  for (std::size_t at = 0; width > 0 && at + width <= values.size(); at += width)
    found.push_back(largest(std::span(values).subspan(at, width)));
  return found;
}

void Likelihood::add(const OutputContent& content, const Tensor& output,
                     std::span<const std::int64_t> ids) {
  const auto values = floats_of(output);
  const auto steps = static_cast<std::size_t>(output.dims[1]), width = width_of(output);
  std::vector<double> logs;
  for (std::size_t row = 0; row < ids.size(); ++row) {
    if (row % steps + 1 == steps) continue;
    to_logs(content, std::span(values).subspan(row * width, width), logs);
    loss -= logs[static_cast<std::size_t>(ids[row + 1])];
    tokens += 1;
  }
}

}  // namespace subbyte
