#include "quantize/encoding.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "quantize/half.h"

namespace subbyte {
namespace {

struct ZeroPoints {
  int bits;
  float step;
  float default_value;
};

// Best first, cheapest last. bench/zero_points.cc measures them.
struct Width {
  int bits;
  double most_bits;
  std::span<const ZeroPoints> zero_points;
};

constexpr ZeroPoints kZeroPoints2[] = {{4, 0.25f, 0}, {3, 0.5f, 0}, {0, 1, 1.5f}};
constexpr ZeroPoints kZeroPoints3[] = {{5, 0.25f, 0}, {4, 0.5f, 0}, {3, 1, 0}, {0, 1, 3.5f}};
constexpr ZeroPoints kZeroPoints4[] = {{6, 0.25f, 0}, {5, 0.5f, 0}, {4, 1, 0}, {0, 1, 7.5f}};
constexpr ZeroPoints kZeroPoints8[] = {{0, 1, 128}};

constexpr Width kWidths[] = {
    {8, 8.8, kZeroPoints8},
    {4, 4.7, kZeroPoints4},
    {3, 3.7, kZeroPoints3},
    {2, 2.7, kZeroPoints2},
};

const Width& width_of(int bits) {
  return *std::find_if(std::begin(kWidths), std::end(kWidths) - 1,
                       [bits](const Width& w) { return w.bits == bits; });
}

int scale_exponent(float max_magnitude) {
  // 2^exponent and 2^-exponent are normal floats.
  constexpr int kSmallest = -126;
  constexpr int kLargest = 113;
  if (max_magnitude == 0) return kSmallest;
  return std::clamp(std::ilogb(max_magnitude) - 14, kSmallest, kLargest);
}

}  // namespace

double most_bits(int bits) { return width_of(bits).most_bits; }

std::vector<AffineEncoding> affine_encodings(int bits, float max_magnitude) {
  const Width& width = width_of(bits);
  std::vector<AffineEncoding> encodings;
  for (const ZeroPoints& zero : width.zero_points) {
    encodings.push_back({.bits = width.bits,
                         .scale_exponent = scale_exponent(max_magnitude),
                         .zero_bits = zero.bits,
                         .zero_step = zero.step,
                         .zero_default = zero.default_value});
  }
  return encodings;
}

AffineEncoding affine_encoding(int bits, std::int64_t k, float max_magnitude) {
  const std::vector<AffineEncoding> encodings = affine_encodings(bits, max_magnitude);
  for (const AffineEncoding& encoding : encodings) {
    const RowLayout row = row_layout(encoding, k);
    const auto bytes = static_cast<double>(row.values + row.scales + row.zero_points);
    if (8 * bytes <= most_bits(bits) * static_cast<double>(k)) return encoding;
  }
  return encodings.back();
}

bool fits_affine(float max_magnitude) {
  return max_magnitude == 0 || (max_magnitude >= 0x1p-100f && max_magnitude <= 0x1p+126f);
}

bool fits_float16(float max_magnitude) {
  // From 65520 on a float rounds to infinity.
  return max_magnitude == 0 || (max_magnitude >= kSmallestNormalHalf && max_magnitude < 65520.0f);
}

}  // namespace subbyte
