#include "quantize/choose_encoding.h"

#include <algorithm>
#include <cmath>

#include "quantize/codec.h"
#include "quantize/encoding.h"

namespace subbyte {
namespace {

std::int64_t row_bytes(const AffineEncoding& encoding, std::int64_t k) {
  const RowLayout row = row_layout(encoding, k);
  return row.values + row.scales + row.zero_points;
}

}  // namespace

ScaleSearch scale_search(int bits, WeightUseKind kind) {
  if (bits >= 8) return ScaleSearch::none;
  return kind == WeightUseKind::conv ? ScaleSearch::large_first : ScaleSearch::least_squares;
}

std::vector<AffineEncoding> encoding_choices(int bits, std::int64_t k, float max_magnitude) {
  std::vector<AffineEncoding> within, all;
  for (const int group : {32, 64}) {
    // A row of one group is the same whatever its size.
    if (group > 32 && (k <= 32 || bits == 8)) continue;
    for (AffineEncoding encoding : affine_encodings(bits, max_magnitude)) {
      encoding.group = group;
      all.push_back(encoding);
      const auto total_bits = static_cast<double>(8 * row_bytes(encoding, k));
      if (total_bits <= most_bits(bits) * static_cast<double>(k)) within.push_back(encoding);
    }
  }
  if (!within.empty()) return within;
  return {*std::min_element(all.begin(), all.end(),
                            [k](const AffineEncoding& a, const AffineEncoding& b) {
                              return row_bytes(a, k) < row_bytes(b, k);
                            })};
}

// A twentieth of a decibel: 10^0.005.
constexpr double kEnough = 0x1.02f6df015a0f1p+0;

AffineEncoding choose_encoding(int bits, std::span<const float> sample, std::int64_t k,
                               float max_magnitude) {
  std::vector<AffineEncoding> choices = encoding_choices(bits, k, max_magnitude);
  if (choices.size() == 1 || sample.empty() || k <= 0) return choices.front();
  const std::int64_t rows = static_cast<std::int64_t>(sample.size()) / k;
  std::vector<double> noise;
  noise.reserve(choices.size());
  for (const AffineEncoding& choice : choices) {
    noise.push_back(pack(sample, rows, k, choice, {.threads = 1}).distortion.noise);
  }
  const double enough = *std::min_element(noise.begin(), noise.end()) * kEnough;
  std::size_t best = choices.size();
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (noise[i] > enough) continue;
    if (best == choices.size() || row_bytes(choices[i], k) < row_bytes(choices[best], k)) best = i;
  }
  return choices[best];
}

}  // namespace subbyte
