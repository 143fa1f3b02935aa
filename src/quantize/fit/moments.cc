#include "quantize/fit/moments.h"

#include <algorithm>
#include <cmath>

#include "calibrate/panels.h"
#include "calibrate/random.h"
#include "quantize/fit/decision.h"

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

// Adds (wanted - found) columns^T to `sums`: wanted and found rows x count, columns k x count.
void add_drift(std::span<const float> wanted, std::span<const float> found,
               std::span<const float> columns, std::int64_t count, std::vector<double>& sums,
               calibrate::Machine& machine) {
  const auto rows = static_cast<std::int64_t>(wanted.size()) / count;
  const auto k = static_cast<std::int64_t>(columns.size()) / count;
  sums.resize(static_cast<std::size_t>(rows * k));
  calibrate::Scratch apart(machine, rows * count), products(machine, rows * k);
  for (std::size_t i = 0; i < wanted.size(); ++i) apart.data()[i] = wanted[i] - found[i];
  const calibrate::Product product{
      count, k, {columns.data(), 1, count}, {{apart.data(), count, rows, products.data(), k}}};
  calibrate::multiply(std::span(&product, 1), machine);
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<double>(products.data()[i]);
}

// rows[i * chosen.size() + p] = element i of the results at place chosen[p].
std::vector<float> results_at(const Tensor& results, std::int64_t places,
                              std::span<const std::int64_t> chosen) {
  const std::int64_t rows = results.elements() / places;
  std::vector<float> found(static_cast<std::size_t>(rows) * chosen.size());
  for (std::size_t p = 0; p < chosen.size(); ++p)
    for (std::int64_t i = 0; i < rows; ++i)
      found[static_cast<std::size_t>(i) * chosen.size() + p] =
          calibrate::floats(results)[chosen[p] * rows + i];
  return found;
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
  for (double& product : moments.drift) product /= moments.count;
  for (double& product : moments.residual) product /= moments.count;
}

bool all_finite(std::span<const float> numbers) {
  return std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); });
}

Moments of_one_kind(const ProductInputs& inputs, std::int64_t k, std::int64_t group,
                    std::span<const Tensor> activations, const Drift& drift,
                    std::span<const std::size_t> alike, std::int64_t places, std::uint64_t seed,
                    calibrate::Machine& machine) {
  Moments moments{.k = k};
  moments.products.resize(static_cast<std::size_t>(k * k));
  moments.means.resize(static_cast<std::size_t>(k));
  Random random(seed);
  const auto samples = static_cast<std::int64_t>(alike.size());
  std::vector<float> columns;
  for (const std::size_t s : alike) {
    const Tensor& x = activations[s];
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
      if (!all_finite(columns)) continue;
      std::vector<float> wanted, there, should;
      if (!drift.wanted.empty()) {
        wanted.resize(columns.size());
        inputs.gather(drift.wanted[s], group, chosen, wanted.data());
      }
      if (!drift.residual_wanted.empty()) {
        there = results_at(drift.residual_found[s], all, chosen);
        should = results_at(drift.residual_wanted[s], all, chosen);
      }
      // All moments are of the same places.
      if (!all_finite(wanted) || !all_finite(there) || !all_finite(should)) continue;
      if (!wanted.empty()) add_drift(wanted, columns, columns, here, moments.drift, machine);
      if (!should.empty()) add_drift(should, there, columns, here, moments.residual, machine);
      add_products(columns.data(), here, moments, machine);
    }
  }
  finish(moments);
  return moments;
}

// Adds those of a kind over their energy, as one of so many kinds.
void add(const Moments& kind, std::size_t kinds, Moments& all) {
  const auto k = static_cast<std::size_t>(kind.k);
  double energy = 0;
  for (std::size_t i = 0; i < k; ++i) energy += kind.products[i * k + i];
  if (!(energy > 0) || !std::isfinite(energy)) return;
  const double part = 1 / static_cast<double>(kinds), size = std::sqrt(energy);
  for (std::size_t i = 0; i < k; ++i) all.means[i] += part * kind.means[i] / size;
  const auto add_some = [&](const std::vector<double>& some, std::vector<double>& to) {
    to.resize(std::max(to.size(), some.size()));
    for (std::size_t i = 0; i < some.size(); ++i) to[i] += part * some[i] / energy;
  };
  add_some(kind.products, all.products);
  add_some(kind.drift, all.drift);
  add_some(kind.residual, all.residual);
  all.count += kind.count;
}

}  // namespace

Moments measure_moments(const ProductInputs& inputs, std::int64_t k, std::int64_t group,
                        std::span<const Tensor> activations, const Drift& drift,
                        std::span<const std::size_t> kinds, std::int64_t places, std::uint64_t seed,
                        calibrate::Machine& machine) {
  const std::size_t count = count_kinds(kinds);
  Moments all{.k = k};
  for (std::size_t kind = 0; kind < count; ++kind) {
    std::vector<std::size_t> alike;
    for (std::size_t s = 0; s < activations.size(); ++s)
      if (kinds.empty() || kinds[s] == kind) alike.push_back(s);
    Moments found = of_one_kind(
        inputs, k, group, activations, drift, alike,
        std::max<std::int64_t>(places / static_cast<std::int64_t>(count), 1), seed, machine);
    if (count == 1) return found;
    if (all.products.empty()) {
      all.products.resize(found.products.size());
      all.means.resize(found.means.size());
    }
    add(found, count, all);
  }
  return all;
}

}  // namespace subbyte::fit
