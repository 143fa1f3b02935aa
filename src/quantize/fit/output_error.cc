#include "quantize/fit/output_error.h"

#include <cmath>
#include <limits>

#include "samples/divergence.h"

namespace subbyte::fit {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

double float_error(const Tensor& exact, const Tensor& found) {
  const auto count = static_cast<std::size_t>(exact.elements());
  std::vector<float> a(count), b(count);
  read_floats(exact, 0, exact.elements(), a.data());
  read_floats(found, 0, found.elements(), b.data());
  double error = 0, size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    // The same infinity, or a NaN in both, is no error.
    const bool both_nan = std::isnan(a[i]) && std::isnan(b[i]);
    if (!std::isfinite(a[i]) && (a[i] == b[i] || both_nan)) continue;
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    error += difference * difference;
    size += static_cast<double>(a[i]) * static_cast<double>(a[i]);
  }
  if (error == 0) return 0;
  const double ratio = std::sqrt(error / size);
  return std::isnan(ratio) ? kInfinite : ratio;
}

double error_of(const Tensor& exact, const Tensor& found) {
  if (exact.dims != found.dims) return 1;
  if (is_float(exact.dtype)) return float_error(exact, found);
  const auto a = integer_values(exact), b = integer_values(found);
  if (!a || !b || a->empty()) return 0;
  double differ = 0;
  for (std::size_t i = 0; i < a->size(); ++i) differ += (*a)[i] != (*b)[i];
  return differ / static_cast<double>(a->size());
}

double divergence_error(const OutputContent& content, const Tensor& exact, const Tensor& found) {
  // Of more lines the mean differs little, and a vocabulary is long.
  constexpr std::size_t kMostLines = 128;
  const LineLoss loss = divergence_of(content, exact, found, kMostLines);
  return loss.lines == 0 ? 0 : std::sqrt(loss.lost / loss.lines);
}

}  // namespace

double output_error(const std::vector<std::vector<Tensor>>& exact,
                    const std::vector<std::vector<Tensor>>& found) {
  double sum = 0, count = 0;
  for (std::size_t s = 0; s < exact.size(); ++s)
    for (std::size_t o = 0; o < exact[s].size(); ++o, ++count)
      sum += error_of(exact[s][o], found[s][o]);
  return count == 0 ? 0 : sum / count;
}

double sample_error(const std::vector<OutputContent>& contents, const std::vector<Tensor>& exact,
                    const std::vector<Tensor>& found) {
  double sum = 0, count = 0;
  for (std::size_t o = 0; o < exact.size(); ++o) {
    if (contents[o].is_cache) continue;
    const bool divergence = contents[o].says == Says::logits && exact[o].dims == found[o].dims &&
                            is_float(exact[o].dtype);
    sum += divergence ? divergence_error(contents[o], exact[o], found[o])
                      : error_of(exact[o], found[o]);
    ++count;
  }
  return count == 0 ? 0 : sum / count;
}

}  // namespace subbyte::fit
