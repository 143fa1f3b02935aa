#include "quantize/fit/output_shift.h"

#include <algorithm>
#include <cmath>

#include "graph/ops.h"
#include "quantize/fit/decision.h"

namespace subbyte::fit {
namespace {

const float* floats(const Tensor& x) { return reinterpret_cast<const float*>(x.data.data()); }

// A tensor as [outer, channels, inner].
struct Channels {
  std::size_t outer = 1, count = 1, inner = 1;

  Channels(const Tensor& x, std::size_t axis) {
    for (std::size_t i = 0; i < x.dims.size(); ++i) {
      const auto size = static_cast<std::size_t>(x.dims[i]);
      (i < axis ? outer : i == axis ? count : inner) *= size;
    }
  }
};

// What one sample says.
struct Means {
  std::vector<double> shift;  // by channel, of exact - found
  double energy = 0;          // of exact, the mean square
  std::size_t kind = 0;
};

Means means_of(const Tensor& exact, const Tensor& found, std::size_t axis) {
  const Channels c(exact, axis);
  Means means{.shift = std::vector<double>(c.count)};
  const double places = static_cast<double>(c.outer * c.inner);
  for (std::size_t channel = 0; channel < c.count; ++channel) {
    double sum = 0, squares = 0;
    for (std::size_t o = 0; o < c.outer; ++o) {
      const std::size_t from = (o * c.count + channel) * c.inner;
      for (std::size_t i = from; i < from + c.inner; ++i) {
        const auto wanted = static_cast<double>(floats(exact)[i]);
        sum += wanted - static_cast<double>(floats(found)[i]);
        squares += wanted * wanted;
      }
    }
    means.shift[channel] = sum / places;
    means.energy += squares / places / static_cast<double>(c.count);
  }
  return means;
}

bool is_finite(const Means& means) {
  return std::isfinite(means.energy) &&
         std::ranges::all_of(means.shift, [](double x) { return std::isfinite(x); });
}

// The weight of each sample; those of a kind have the same.
std::vector<double> weights_of(std::span<const Means> samples, std::size_t kinds) {
  std::vector<double> energy(kinds), count(kinds), weights;
  for (const Means& sample : samples) {
    energy[sample.kind] += sample.energy;
    ++count[sample.kind];
  }
  for (const Means& sample : samples) {
    // energy / count is the kind's, and count of them share its weight.
    const double weight = kinds == 1 ? 1.0 : 1 / energy[sample.kind];
    weights.push_back(std::isfinite(weight) ? weight : 0);
  }
  return weights;
}

// The square of the standard error of `mean`, by what differs between `parts` (samples or kinds)
// of those weights; 0 where one part alone counts.
double squared_error(std::span<const double> parts, std::span<const double> weights, double mean) {
  double sum = 0, away = 0, count = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (weights[i] == 0) continue;
    sum += weights[i];
    away += weights[i] * weights[i] * (parts[i] - mean) * (parts[i] - mean);
    ++count;
  }
  return count < 2 ? 0 : away / (sum * sum) * count / (count - 1);
}

// Of one channel, shrunk.
double reliable_mean(std::span<const Means> samples, std::span<const double> weights,
                     std::size_t kinds, std::size_t channel) {
  std::vector<double> shifts, of_kind(kinds), weight_of_kind(kinds);
  double sum = 0, total = 0;
  for (std::size_t s = 0; s < samples.size(); ++s) {
    const double shift = samples[s].shift[channel];
    shifts.push_back(shift);
    sum += weights[s] * shift;
    total += weights[s];
    of_kind[samples[s].kind] += weights[s] * shift;
    weight_of_kind[samples[s].kind] += weights[s];
  }
  if (!(total > 0)) return 0;
  const double mean = sum / total;
  for (std::size_t kind = 0; kind < kinds; ++kind)
    if (weight_of_kind[kind] > 0) of_kind[kind] /= weight_of_kind[kind];
  const double error =
      std::max(squared_error(shifts, weights, mean), squared_error(of_kind, weight_of_kind, mean));
  return mean == 0 ? 0 : mean * std::max(0.0, 1 - error / (mean * mean));
}

}  // namespace

std::optional<std::size_t> channel_axis(const Node& node, std::size_t rank) {
  switch (node.op) {
    case Op::Conv:
    case Op::ConvTranspose:
      if (rank < 3) return std::nullopt;
      return 1;
    case Op::Gemm:
    case Op::MatMul:
      if (rank < 2) return std::nullopt;
      return rank - 1;
    default:
      return std::nullopt;
  }
}

Shift mean_shift(std::span<const Tensor> exact, std::span<const Tensor> found,
                 std::span<const std::size_t> kinds, std::size_t axis) {
  std::vector<Means> samples;
  for (std::size_t s = 0; s < exact.size() && s < found.size(); ++s) {
    const Tensor& a = exact[s];
    const Tensor& b = found[s];
    // Sizes that depend on values may differ.
    if (a.dtype != DType::float32 || b.dtype != DType::float32) return {};
    if (a.dims != b.dims || axis >= a.dims.size() || a.elements() == 0) continue;
    Means means = means_of(a, b, axis);
    if (!samples.empty() && means.shift.size() != samples.front().shift.size()) return {};
    if (!kinds.empty()) means.kind = kinds[s];
    if (is_finite(means)) samples.push_back(std::move(means));
  }
  if (samples.empty()) return {};
  const std::size_t count = count_kinds(kinds);
  const std::vector<double> weights = weights_of(samples, count);
  Shift shift;
  for (std::size_t channel = 0; channel < samples.front().shift.size(); ++channel)
    shift.push_back(static_cast<float>(reliable_mean(samples, weights, count, channel)));
  return shift;
}

void add_shift(std::span<Tensor> values, std::size_t axis, const Shift& shift) {
  for (Tensor& value : values) {
    if (axis >= value.dims.size()) continue;
    const Channels c(value, axis);
    if (c.count != shift.size()) continue;
    // Another tensor may share the elements.
    std::vector<std::byte> bytes(value.data.begin(), value.data.end());
    auto* const to = reinterpret_cast<float*>(bytes.data());
    for (std::size_t o = 0; o < c.outer; ++o)
      for (std::size_t channel = 0; channel < c.count; ++channel) {
        const std::size_t from = (o * c.count + channel) * c.inner;
        for (std::size_t i = from; i < from + c.inner; ++i) to[i] += shift[channel];
      }
    value = make_tensor(value.dtype, value.dims, std::move(bytes));
  }
}

}  // namespace subbyte::fit
