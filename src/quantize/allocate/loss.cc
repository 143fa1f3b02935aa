#include "quantize/allocate/loss.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "samples/divergence.h"
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

Sums of_lines(const OutputContent& content, const Tensor& exact, const Tensor& found) {
  const LineLoss loss = divergence_of(content, exact, found);
  return {loss.lost, loss.lines};
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
  double all = 0, count = 0;
  for (std::size_t o = 0; o < contents.size(); ++o) {
    if (contents[o].is_cache) continue;
    const bool is_distribution =
        contents[o].says == Says::distribution || contents[o].says == Says::logits;
    Sums sums;
    for (std::size_t s = 0; s < exact.size(); ++s) {
      const Tensor &a = exact[s][o], &b = found[s][o];
      const Sums more = a.dims != b.dims                       ? Sums{1, 1}
                        : is_distribution && is_float(a.dtype) ? of_lines(contents[o], a, b)
                                                               : of_numbers(a, b);
      sums.lost += more.lost;
      sums.of += more.of;
    }
    all += most_of(sums);
    ++count;
  }
  return count == 0 ? 0 : all / count;
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
