#include "quantize/tune/loss.h"

#include <algorithm>
#include <cmath>

#include "base/scalar_math.h"

namespace subbyte::tune {
namespace {

using calibrate::floats;

bool is_distribution(const OutputContent& content) {
  return content.says == Says::logits || content.says == Says::distribution;
}

// Numbers `step` apart to probabilities.
void probabilities(const OutputContent& content, const float* x, std::int64_t length,
                   std::int64_t step, std::vector<double>& p) {
  p.resize(static_cast<std::size_t>(length));
  const bool is_probability = content.says == Says::distribution && !content.is_logarithm;
  double most = static_cast<double>(x[0]), sum = 0;
  for (std::int64_t i = 1; i < length; ++i) most = std::max(most, static_cast<double>(x[i * step]));
  for (std::int64_t i = 0; i < length; ++i) {
    double& one = p[static_cast<std::size_t>(i)];
    one = static_cast<double>(x[i * step]);
    if (!is_probability) one = one - most > -80 ? exp_of(one - most) : 0;
    sum += one;
  }
  if (!is_probability && sum > 0)
    for (double& one : p) one /= sum;
}

// Of one line: sum p log(p / q), and what it changes by with each number, times `weight`.
double divergence(const OutputContent& content, const float* exact, const float* found,
                  std::int64_t length, std::int64_t step, double weight, float* lost) {
  constexpr double kLeast = 1e-9;  // below it a probability counts as so much
  std::vector<double> p, q;
  probabilities(content, exact, length, step, p);
  probabilities(content, found, length, step, q);
  const bool is_probability = content.says == Says::distribution && !content.is_logarithm;
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double least = std::max(q[i], kLeast);
    if (p[i] > kLeast) sum += p[i] * log_of(p[i] / least);
    const double slope = is_probability ? -p[i] / least : q[i] - p[i];
    lost[static_cast<std::int64_t>(i) * step] = static_cast<float>(weight * slope);
  }
  return sum;
}

double divergence_of(const OutputContent& content, const Tensor& exact, const Tensor& found,
                     std::vector<float>& lost, calibrate::Machine& machine) {
  std::int64_t length = 1, step = 1;
  for (std::size_t axis = content.axis; axis < exact.dims.size(); ++axis)
    (axis == content.axis ? length : step) *= exact.dims[axis];
  const std::int64_t lines = length == 0 ? 0 : exact.elements() / length;
  std::vector<double> each(static_cast<std::size_t>(lines));
  const double share = 1 / static_cast<double>(std::max<std::int64_t>(lines, 1));
  machine.share(lines, 40 * static_cast<double>(exact.elements()), [&](std::int64_t line) {
    const std::int64_t start = line / step * length * step + line % step;
    each[static_cast<std::size_t>(line)] =
        divergence(content, floats(exact) + start, floats(found) + start, length, step, share,
                   lost.data() + start);
  });
  double sum = 0;
  for (const double one : each) sum += one;
  return sum * share;
}

double squared_error(const Tensor& exact, const Tensor& found, std::vector<float>& lost) {
  const float* const a = floats(exact);
  const float* const b = floats(found);
  double error = 0, size = 0;
  const auto both = [&](std::size_t i) { return std::isfinite(a[i]) && std::isfinite(b[i]); };
  for (std::size_t i = 0; i < lost.size(); ++i) {
    if (!both(i)) continue;
    const double d = static_cast<double>(b[i]) - static_cast<double>(a[i]);
    error += d * d;
    size += static_cast<double>(a[i]) * static_cast<double>(a[i]);
  }
  if (size <= 0) return 0;
  for (std::size_t i = 0; i < lost.size(); ++i)
    if (both(i)) lost[i] = static_cast<float>(2 / size) * (b[i] - a[i]);
  return error / size;
}

}  // namespace

std::vector<bool> outputs_that_count(const Graph& graph,
                                     const std::vector<OutputContent>& contents) {
  std::vector<bool> count(graph.outputs.size());
  for (std::size_t o = 0; o < count.size(); ++o)
    count[o] = is_float(graph.values[graph.outputs[o]].dtype) && !contents[o].is_cache;
  return count;
}

double loss_of(const std::vector<OutputContent>& contents, const std::vector<Tensor>& exact,
               const std::vector<Tensor>& found, float weight,
               std::vector<std::vector<float>>& lost, calibrate::Machine& machine) {
  const auto counts = [&](std::size_t o) {
    return is_float(exact[o].dtype) && !contents[o].is_cache && exact[o].dims == found[o].dims &&
           exact[o].elements() > 0;
  };
  double outputs = 0, sum = 0;
  for (std::size_t o = 0; o < exact.size(); ++o) outputs += counts(o) ? 1 : 0;
  lost.assign(exact.size(), {});
  for (std::size_t o = 0; o < exact.size(); ++o) {
    if (!counts(o)) continue;
    lost[o].assign(static_cast<std::size_t>(exact[o].elements()), 0.0f);
    const double one = is_distribution(contents[o])
                           ? divergence_of(contents[o], exact[o], found[o], lost[o], machine)
                           : squared_error(exact[o], found[o], lost[o]);
    // Of a root; near 0 that of kLeast, which has no corner.
    constexpr double kLeast = 1e-8;
    const double root = std::sqrt(std::max(one, 0.0) + kLeast);
    sum += root;
    const auto share = static_cast<float>(static_cast<double>(weight) / outputs / (2 * root));
    for (float& x : lost[o]) x *= share;
  }
  return outputs > 0 ? sum / outputs : 0;
}

}  // namespace subbyte::tune
