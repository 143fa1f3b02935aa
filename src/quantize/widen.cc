#include "quantize/widen.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "quantize/encoding.h"

namespace subbyte {
namespace {

double bits_stored(const WeightUse& use, const Encoding& encoding) {
  const RowLayout row = row_layout(encoding, use.k);
  return 8.0 * static_cast<double>(use.rows) *
         static_cast<double>(row.values + row.scales + row.zero_points);
}

std::string reason_of(const Encoding& encoding, const WeightUse& use, int bits) {
  if (std::holds_alternative<FloatEncoding>(encoding)) {
    return fmt::format("with {} values a row it takes no more bytes as float16 than at 8 bits",
                       use.k);
  }
  return fmt::format(
      "it is one of the smallest weights, which cost little at 8 bits and lose most at {}", bits);
}

// The indices of the uses that may be widened, the smallest first.
std::vector<std::size_t> candidates(std::span<const WeightUse> uses, int bits,
                                    const std::vector<bool>& may_widen,
                                    const std::vector<Assignment>& assignments) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const auto* affine = std::get_if<AffineEncoding>(&assignments[i].encoding);
    if (affine != nullptr && affine->bits == bits && may_widen[i]) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return uses[a].parameters() < uses[b].parameters();
  });
  return order;
}

}  // namespace

Encoding wider_encoding(const WeightUse& use) {
  const Encoding eight = affine_encoding(8, use.k, use.scale_magnitude());
  const Encoding half = FloatEncoding{16};
  const bool fits = fits_float16(use.range.largest);
  return fits && bits_stored(use, half) <= bits_stored(use, eight) ? half : eight;
}

void widen_smallest(std::span<const WeightUse> uses, Precision precision,
                    const std::vector<bool>& may_widen, std::vector<Assignment>& assignments) {
  const int bits = bits_of(precision);
  if (bits > 8) return;
  double all = 0, wide = 0, stored_bits = 0;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const auto parameters = static_cast<double>(uses[i].parameters());
    all += parameters;
    stored_bits += bits_stored(uses[i], assignments[i].encoding);
    if (value_bits(assignments[i].encoding) > bits) wide += parameters;
  }
  const double most = std::min(kWideByChoice * all, kMostWide * all - wide);
  const double most_bits =
      std::max(kMostWideBits * all, (bits + kMostBitsAbove) * all - stored_bits);
  double chosen = 0, more_bits = 0;
  for (const std::size_t i : candidates(uses, bits, may_widen, assignments)) {
    const WeightUse& use = uses[i];
    const Encoding encoding = wider_encoding(use);
    if (value_bits(encoding) <= bits) continue;
    chosen += static_cast<double>(use.parameters());
    more_bits += bits_stored(use, encoding) - bits_stored(use, assignments[i].encoding);
    if (chosen > most || more_bits > most_bits) break;
    assignments[i] = {encoding, reason_of(encoding, use, bits)};
  }
}

}  // namespace subbyte
