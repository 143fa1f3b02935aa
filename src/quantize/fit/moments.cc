#include "quantize/fit/moments.h"

#include <algorithm>

#include "calibrate/panels.h"
#include "calibrate/random.h"

namespace subbyte::fit {
namespace {

// Places whose products are added up in single precision.
constexpr std::int64_t kTogether = 512;
constexpr std::int64_t kRows = 64;

// Adds columns^T columns, the lower triangle alone; columns is k x count.
void add_products(const float* columns, std::int64_t count, Moments& moments,
                  calibrate::Machine& machine) {
  const std::int64_t k = moments.k;
  std::vector<calibrate::Product> products;
  calibrate::Scratch sums(machine, k * k);
  for (std::int64_t row = 0; row < k; row += kRows) {
    const std::int64_t rows = std::min(kRows, k - row);
    products.push_back({count,
                        row + rows,
                        {columns, 1, count},
                        {{columns + row * count, count, rows, sums.data() + row * k, k}}});
  }
  calibrate::multiply(products, machine);
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j <= i; ++j)
      moments.products[static_cast<std::size_t>(i * k + j)] +=
          static_cast<double>(sums.data()[i * k + j]);
    double sum = 0;
    for (std::int64_t p = 0; p < count; ++p) sum += static_cast<double>(columns[i * count + p]);
    moments.means[static_cast<std::size_t>(i)] += sum;
  }
  moments.count += static_cast<double>(count);
}

void finish(Moments& moments) {
  if (moments.count == 0) return;
  const auto k = static_cast<std::size_t>(moments.k);
  for (std::size_t i = 0; i < k; ++i) {
    moments.means[i] /= moments.count;
    for (std::size_t j = 0; j <= i; ++j) {
      moments.products[i * k + j] /= moments.count;
      moments.products[j * k + i] = moments.products[i * k + j];
    }
  }
}

}  // namespace

Moments measure_moments(const ProductInputs& inputs, std::int64_t k, std::int64_t group,
                        std::span<const Tensor> activations, std::int64_t places,
                        std::uint64_t seed, calibrate::Machine& machine) {
  Moments moments{.k = k};
  moments.products.resize(static_cast<std::size_t>(k * k));
  moments.means.resize(static_cast<std::size_t>(k));
  Random random(seed);
  const auto samples = static_cast<std::int64_t>(activations.size());
  std::vector<float> columns;
  for (const Tensor& x : activations) {
    const std::int64_t all = inputs.places(x);
    const std::int64_t count =
        std::min(all, (places + samples - 1) / std::max<std::int64_t>(samples, 1));
    for (std::int64_t first = 0; first < count; first += kTogether) {
      const std::int64_t here = std::min(kTogether, count - first);
      std::vector<std::int64_t> chosen;
      for (std::int64_t p = first; p < first + here; ++p) {
        const std::int64_t begin = p * all / count, end = (p + 1) * all / count;
        chosen.push_back(begin + random.below(end - begin));
      }
      columns.resize(static_cast<std::size_t>(k * here));
      inputs.gather(x, group, chosen, columns.data());
      add_products(columns.data(), here, moments, machine);
    }
  }
  finish(moments);
  return moments;
}

}  // namespace subbyte::fit
