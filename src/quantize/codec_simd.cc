#include "quantize/codec_simd.h"

#include <algorithm>
#include <array>
#include <limits>

#include "quantize/half.h"

// Vectors of a length unknown to the compiler cannot be members of a struct; NEON runs wherever SVE
// does.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quantize/codec_simd.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace subbyte::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// At most a batch wide; all the widths that there are divide a batch.
using Floats = hn::CappedTag<float, kBatchGroups>;
using V = hn::Vec<Floats>;

// One candidate for each lane, and codec_reference.cc's sums.
struct Parameters {
  V scale, zero;
};
struct Sums {
  V error, u, uu, xu;
};

// codec_reference.cc over lanes: function for function, operation for operation. No MulAdd: whether
// it rounds once or twice depends on the machine.
template <ScaleSearch kSearch>
class Lanes {
 public:
  Lanes(const float* x, std::size_t count, const Grid& grid)
      : x_(x), size_(count), grid_(grid), count_(set(static_cast<float>(count))) {
    if constexpr (kSearch != ScaleSearch::large_first) return;
    V magnitude = hn::Zero(d_);
    for (std::size_t i = 0; i < size_; ++i) magnitude = hn::Add(magnitude, hn::Abs(load(i)));
    mean_magnitude_ = hn::Div(magnitude, count_);
  }

  V set(float value) const { return hn::Set(d_, value); }

  V as_scale(V value) const {
    const V clamped = hn::Min(hn::Max(value, set(kSmallestNormalHalf)), set(kLargestHalf));
    // To the 11 significant bits of a half, ties to even; no carry passes kLargestHalf.
    const hn::RebindToUnsigned<Floats> du;
    const auto bits = hn::BitCast(du, clamped);
    const auto odd = hn::And(hn::ShiftRight<13>(bits), hn::Set(du, 1u));
    const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(du, 0xfffu)));
    return hn::BitCast(d_, hn::And(rounded, hn::Set(du, ~0x1fffu)));
  }

  V as_zero(V value) const {
    if (grid_.zero_steps == 0) return set(grid_.zero_default);
    const V steps =
        hn::Min(hn::Max(hn::Div(value, set(grid_.zero_step)), hn::Zero(d_)), set(grid_.zero_steps));
    return hn::Mul(hn::Round(steps), set(grid_.zero_step));
  }

  V weighted(V squared, V value) const {
    if constexpr (kSearch != ScaleSearch::large_first) return squared;
    return hn::Mul(hn::Add(hn::Abs(value), mean_magnitude_), squared);
  }

  V load(std::size_t i) const { return hn::Load(d_, x_ + i * kBatchGroups); }

  Sums evaluate(const Parameters& p) const {
    Sums sums{hn::Zero(d_), hn::Zero(d_), hn::Zero(d_), hn::Zero(d_)};
    const V inverse = hn::Div(set(1.0f), p.scale);
    const V largest_code = set(grid_.largest_code);
    for (std::size_t i = 0; i < size_; ++i) {
      const V value = load(i);
      const V exact = hn::Add(hn::Mul(value, inverse), p.zero);
      const V code = hn::Round(hn::Min(hn::Max(exact, hn::Zero(d_)), largest_code));
      const V u = hn::Sub(code, p.zero);
      const V difference = hn::Sub(value, hn::Mul(p.scale, u));
      const V squared = hn::Mul(difference, difference);
      sums.error = hn::Add(sums.error, weighted(squared, value));
      sums.u = hn::Add(sums.u, u);
      sums.uu = hn::Add(sums.uu, hn::Mul(u, u));
      sums.xu = hn::Add(sums.xu, hn::Mul(value, u));
    }
    return sums;
  }

  Parameters cover(V low, V high) const {
    if (grid_.zero_steps == 0) {
      const V zero = set(grid_.zero_default);
      const V above = hn::Div(high, hn::Sub(set(grid_.largest_code), zero));
      return {as_scale(hn::Max(above, hn::Div(hn::Neg(low), zero))), zero};
    }
    const V scale = as_scale(hn::Div(hn::Sub(high, low), set(grid_.largest_code)));
    return {scale, as_zero(hn::Div(hn::Neg(low), scale))};
  }

  V refit_scale(const Sums& sums, V sum_x, V move, V scale) const {
    const V cross = hn::Mul(hn::Mul(set(2.0f), move), sums.u);
    const V uu = hn::Add(hn::Sub(sums.uu, cross), hn::Mul(hn::Mul(count_, move), move));
    const V xu = hn::Sub(sums.xu, hn::Mul(move, sum_x));
    const auto usable = hn::And(hn::Gt(uu, hn::Zero(d_)), hn::Gt(xu, hn::Zero(d_)));
    return hn::IfThenElse(usable, as_scale(hn::Div(xu, uu)), scale);
  }

  Parameters refit(const Sums& sums, V sum_x, const Parameters& p) const {
    const V determinant = hn::Sub(hn::Mul(count_, sums.uu), hn::Mul(sums.u, sums.u));
    const V slope = hn::Div(hn::Sub(hn::Mul(count_, sums.xu), hn::Mul(sum_x, sums.u)), determinant);
    const V offset = hn::Div(hn::Sub(sum_x, hn::Mul(slope, sums.u)), count_);
    const V moved = as_zero(hn::Sub(p.zero, hn::Div(offset, slope)));
    const auto usable = hn::And(hn::Gt(determinant, hn::Zero(d_)), hn::Gt(slope, hn::Zero(d_)));
    const V zero = hn::IfThenElse(usable, moved, p.zero);
    return {refit_scale(sums, sum_x, hn::Sub(zero, p.zero), p.scale), zero};
  }

  // Least, greatest and sum of the values.
  void range(V& least, V& most, V& sum) const {
    least = most = load(0);
    sum = hn::Zero(d_);
    for (std::size_t i = 0; i < size_; ++i) {
      least = hn::Min(least, load(i));
      most = hn::Max(most, load(i));
      sum = hn::Add(sum, load(i));
    }
  }

  Parameters search(V low, V high, V sum_x) const {
    Parameters best{hn::Zero(d_), hn::Zero(d_)};
    V best_error = set(std::numeric_limits<float>::infinity());
    const auto consider = [&](const Parameters& p) HWY_ATTR {
      const Sums sums = evaluate(p);
      const auto better = hn::Lt(sums.error, best_error);
      best_error = hn::IfThenElse(better, sums.error, best_error);
      best.scale = hn::IfThenElse(better, p.scale, best.scale);
      best.zero = hn::IfThenElse(better, p.zero, best.zero);
      return sums;
    };
    for (const SearchStart& start : kSearchStarts) {
      Parameters p = cover(hn::Mul(low, set(start.low)), hn::Mul(high, set(start.high)));
      for (int round = 0; round < kSearchRounds; ++round) p = refit(consider(p), sum_x, p);
      consider(p);
    }
    if (grid_.zero_steps == 0) return best;
    const Parameters centre = best;
    for (const float factor : kScaleMoves) {
      for (const float move : kZeroMoves) {
        Parameters p{as_scale(hn::Mul(centre.scale, set(factor))),
                     as_zero(hn::Add(centre.zero, set(move * grid_.zero_step)))};
        for (int round = 0; round < kMoveRounds; ++round) {
          p.scale = refit_scale(consider(p), sum_x, hn::Zero(d_), p.scale);
        }
      }
    }
    return best;
  }

 private:
  Floats d_;
  const float* x_;
  std::size_t size_;
  const Grid& grid_;
  V count_, mean_magnitude_;
};

template <ScaleSearch kSearch>
void search_lanes(const float* HWY_RESTRICT x, std::size_t count, const Grid& grid,
                  float* HWY_RESTRICT scales, float* HWY_RESTRICT zeros) {
  const Floats d;
  HWY_ALIGN std::array<float, kBatchGroups> least_of;
  HWY_ALIGN std::array<float, kBatchGroups> most_of;
  for (std::size_t g = 0; g < kBatchGroups; g += hn::Lanes(d)) {
    const Lanes<kSearch> lanes(x + g, count, grid);
    V least, most, sum_x;
    lanes.range(least, most, sum_x);
    hn::Store(least, d, least_of.data() + g);
    hn::Store(most, d, most_of.data() + g);
    const Parameters found =
        lanes.search(hn::Min(least, hn::Zero(d)), hn::Max(most, hn::Zero(d)), sum_x);
    hn::Store(found.scale, d, scales + g);
    hn::Store(found.zero, d, zeros + g);
  }
  for (std::size_t g = 0; g < kBatchGroups; ++g) {
    if (least_of[g] != most_of[g]) continue;
    const GroupParameters constant = constant_group(least_of[g], grid);
    scales[g] = constant.scale;
    zeros[g] = constant.zero;
  }
}

void SearchBatch(const float* HWY_RESTRICT x, std::size_t count, const Grid& grid,
                 ScaleSearch search, float* HWY_RESTRICT scales, float* HWY_RESTRICT zeros) {
  if (search == ScaleSearch::large_first) {
    search_lanes<ScaleSearch::large_first>(x, count, grid, scales, zeros);
  } else {
    search_lanes<ScaleSearch::least_squares>(x, count, grid, scales, zeros);
  }
}

void CoverRanges(const float* HWY_RESTRICT lows, const float* HWY_RESTRICT highs, std::size_t count,
                 const Grid& grid, float* HWY_RESTRICT scales, float* HWY_RESTRICT zeros) {
  const Floats d;
  const std::size_t width = hn::Lanes(d);
  const Lanes<ScaleSearch::none> lanes(nullptr, 0, grid);
  std::size_t g = 0;
  for (; g + width <= count; g += width) {
    const Parameters p = lanes.cover(hn::LoadU(d, lows + g), hn::LoadU(d, highs + g));
    hn::StoreU(p.scale, d, scales + g);
    hn::StoreU(p.zero, d, zeros + g);
  }
  if (g == count) return;
  HWY_ALIGN std::array<float, kBatchGroups> low = {}, high = {};
  std::copy(lows + g, lows + count, low.begin());
  std::copy(highs + g, highs + count, high.begin());
  const Parameters p = lanes.cover(hn::Load(d, low.data()), hn::Load(d, high.data()));
  hn::Store(p.scale, d, low.data());
  hn::Store(p.zero, d, high.data());
  std::copy_n(low.begin(), count - g, scales + g);
  std::copy_n(high.begin(), count - g, zeros + g);
}

}  // namespace
}  // namespace subbyte::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace subbyte {

HWY_EXPORT(SearchBatch);
HWY_EXPORT(CoverRanges);

void search_batch(const float* x, std::size_t count, const Grid& grid, ScaleSearch search,
                  float* scales, float* zeros) {
  HWY_DYNAMIC_DISPATCH(SearchBatch)(x, count, grid, search, scales, zeros);
}

void cover_ranges(const float* lows, const float* highs, std::size_t count, const Grid& grid,
                  float* scales, float* zeros) {
  HWY_DYNAMIC_DISPATCH(CoverRanges)(lows, highs, count, grid, scales, zeros);
}

}  // namespace subbyte
#endif  // HWY_ONCE
