#include "quantize/affine_block.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "quantize/bits.h"
#include "quantize/codec_simd.h"

namespace subbyte {
namespace {

std::size_t size_of(std::int64_t count) { return static_cast<std::size_t>(count); }

class AffineBlock {
 public:
  AffineBlock(const float* values, std::int64_t rows, std::int64_t k,
              const AffineEncoding& encoding)
      : values_(values),
        rows_(size_of(rows)),
        k_(size_of(k)),
        group_(size_of(encoding.group)),
        groups_(size_of(groups_in_row(encoding, k))),
        encoding_(encoding),
        grid_(encoding),
        to_normal_(std::ldexp(1.0f, -encoding.scale_exponent)),
        scales_(rows_ * groups_),
        zeros_(rows_ * groups_) {}

  // The scales and zero points that just cover each group.
  void cover() {
    std::vector<float> lows(scales_.size()), highs(scales_.size());
    for (std::size_t r = 0; r < rows_; ++r) {
      range_of_groups(row(r), &lows[r * groups_], &highs[r * groups_]);
    }
    cover_ranges(lows.data(), highs.data(), lows.size(), grid_, scales_.data(), zeros_.data());
  }

  // Those that a search finds: groups of one length at a time, the whole ones and then the tails.
  void search(ScaleSearch how) {
    const std::size_t whole = k_ / group_;
    search_groups(how, 0, whole, group_);
    if (k_ % group_ > 0) search_groups(how, whole, 1, k_ % group_);
  }

  // In units of the normalised values.
  Distortion write(const BlockOutput& out) const {
    Distortion distortion;
    std::vector<std::uint8_t> codes(k_), stored(groups_);
    for (std::size_t r = 0; r < rows_; ++r) {
      const float* const scales = &scales_[r * groups_];
      const float* const zeros = &zeros_[r * groups_];
      const auto at = static_cast<std::int64_t>(r);
      distortion += quantize_row(row(r), grid_, scales, zeros, codes.data());
      pack_bits(codes.data(), k_, encoding_.bits, out.values + at * out.row.values);
      std::byte* half = out.scales + at * out.row.scales;
      for (std::size_t g = 0; g < groups_; ++g, half += 2) {
        // A normal half's bits are those of the float but for the exponent's bias.
        const auto bits = static_cast<std::uint16_t>(
            (std::bit_cast<std::uint32_t>(scales[g]) - 0x38000000u) >> 13);
        std::memcpy(half, &bits, sizeof(bits));
      }
      if (encoding_.zero_bits == 0) continue;
      const float steps = 1.0f / encoding_.zero_step;
      for (std::size_t g = 0; g < groups_; ++g) {
        stored[g] = static_cast<std::uint8_t>(zeros[g] * steps);
      }
      pack_bits(stored.data(), groups_, encoding_.zero_bits,
                out.zero_points + at * out.row.zero_points);
    }
    return distortion;
  }

 private:
  struct alignas(64) Line {
    float lanes[kBatchGroups];
  };

  WeightRow row(std::size_t r) const { return {values_ + r * k_, k_, group_, to_normal_}; }

  // Groups [first, first + count) of each row, of `length` values.
  void search_groups(ScaleSearch how, std::size_t first, std::size_t count, std::size_t length) {
    const std::size_t all = rows_ * count;
    std::vector<Line> x(length);
    Line scales, zeros;
    for (std::size_t start = 0; start < all; start += kBatchGroups) {
      const std::size_t lanes = std::min(all - start, kBatchGroups);
      if (lanes < kBatchGroups) std::fill(x.begin(), x.end(), Line{});
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const std::size_t r = (start + lane) / count;
        const std::size_t group = first + (start + lane) % count;
        const float* const from = values_ + r * k_ + group * group_;
        for (std::size_t i = 0; i < length; ++i) x[i].lanes[lane] = from[i] * to_normal_;
      }
      search_batch(x.front().lanes, length, grid_, how, scales.lanes, zeros.lanes);
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const std::size_t to = (start + lane) / count * groups_ + first + (start + lane) % count;
        scales_[to] = scales.lanes[lane];
        zeros_[to] = zeros.lanes[lane];
      }
    }
  }

  const float* values_;
  std::size_t rows_, k_, group_, groups_;
  const AffineEncoding& encoding_;
  Grid grid_;
  float to_normal_;
  std::vector<float> scales_, zeros_;  // of each group, row after row
};

}  // namespace

Distortion pack_affine_block(const float* values, std::int64_t rows, std::int64_t k,
                             const AffineEncoding& encoding, ScaleSearch search,
                             const BlockOutput& out) {
  Distortion normalised;
  if (search == ScaleSearch::none) {
    // A few rows at a time, which are still in the nearest cache when they are read again.
    constexpr std::int64_t kFloats = 4096;
    const std::int64_t step = std::clamp<std::int64_t>(kFloats / k, 1, rows);
    for (std::int64_t r = 0; r < rows; r += step) {
      AffineBlock some(values + r * k, std::min(step, rows - r), k, encoding);
      some.cover();
      normalised += some.write({out.values + r * out.row.values, out.scales + r * out.row.scales,
                                out.zero_points + r * out.row.zero_points, out.row});
    }
  } else {
    AffineBlock block(values, rows, k, encoding);
    block.search(search);
    normalised = block.write(out);
  }
  const int squared = 2 * encoding.scale_exponent;
  return {std::ldexp(normalised.signal, squared), std::ldexp(normalised.noise, squared)};
}

}  // namespace subbyte
