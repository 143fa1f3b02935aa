#include "quantize/fit/output_shift.h"

#include <cmath>

#include "graph/ops.h"

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

// Adds the mean of exact - found of one sample to `sums`.
void add_means(const Tensor& exact, const Tensor& found, std::size_t axis,
               std::vector<double>& sums) {
  const Channels c(exact, axis);
  sums.resize(c.count);
  const double places = static_cast<double>(c.outer * c.inner);
  for (std::size_t channel = 0; channel < c.count; ++channel) {
    double sum = 0;
    for (std::size_t o = 0; o < c.outer; ++o) {
      const std::size_t from = (o * c.count + channel) * c.inner;
      for (std::size_t i = from; i < from + c.inner; ++i)
        sum += static_cast<double>(floats(exact)[i]) - static_cast<double>(floats(found)[i]);
    }
    sums[channel] += sum / places;
  }
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

Shift mean_shift(std::span<const Tensor> exact, std::span<const Tensor> found, std::size_t axis) {
  std::vector<double> sums;
  std::size_t samples = 0;
  for (std::size_t s = 0; s < exact.size() && s < found.size(); ++s) {
    const Tensor& a = exact[s];
    const Tensor& b = found[s];
    // Sizes that depend on values may differ.
    if (a.dtype != DType::float32 || b.dtype != DType::float32) return {};
    if (a.dims != b.dims || axis >= a.dims.size() || a.elements() == 0) continue;
    if (samples > 0 && static_cast<std::size_t>(a.dims[axis]) != sums.size()) return {};
    add_means(a, b, axis, sums);
    ++samples;
  }
  Shift shift;
  for (const double sum : sums) {
    shift.push_back(static_cast<float>(sum / static_cast<double>(samples)));
    if (!std::isfinite(shift.back())) return {};
  }
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
