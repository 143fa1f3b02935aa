// Ranges and codes of rows: the part of codec_simd.h that goes along k.
#include <algorithm>
#include <array>

#include "quantize/codec_simd.h"

// As in codec_simd.cc.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quantize/row_simd.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace subbyte::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Rows go by octets of values, which are one vector or several.
using Octet = hn::CappedTag<float, 8>;
using O = hn::Vec<Octet>;
constexpr std::size_t kOctet = 8;
constexpr std::size_t kParts = kOctet / hn::MaxLanes(Octet());

// Sums of eight values or a maximum of them, in an order of our own.
template <typename Join>
HWY_INLINE float joined(const O (&parts)[kParts], const Join& join) {
  const Octet d;
  HWY_ALIGN std::array<float, kOctet> lane;
  for (std::size_t p = 0; p < kParts; ++p) hn::Store(parts[p], d, &lane[p * hn::Lanes(d)]);
  return join(join(join(lane[0], lane[4]), join(lane[2], lane[6])),
              join(join(lane[1], lane[5]), join(lane[3], lane[7])));
}

// The first `count` values of an octet, then zeros.
struct PartOctet {
  HWY_ALIGN std::array<float, kOctet> values = {};
  PartOctet(const float* from, std::size_t count) { std::copy_n(from, count, values.begin()); }
};

void RangeOfGroups(const WeightRow& row, float* HWY_RESTRICT lows, float* HWY_RESTRICT highs) {
  const Octet d;
  const std::size_t width = hn::Lanes(d);
  const O factor = hn::Set(d, row.to_normal);
  for (std::size_t start = 0; start < row.k; start += row.group) {
    const std::size_t count = std::min(row.group, row.k - start);
    const float* const from = row.values + start;
    O low[kParts], high[kParts];
    for (std::size_t p = 0; p < kParts; ++p) low[p] = high[p] = hn::Zero(d);
    const auto widen = [&](const float* values) HWY_ATTR {
      for (std::size_t p = 0; p < kParts; ++p) {
        const O x = hn::LoadU(d, values + p * width);
        low[p] = hn::Min(low[p], x);
        high[p] = hn::Max(high[p], x);
      }
    };
    std::size_t i = 0;
    for (; i + kOctet <= count; i += kOctet) widen(from + i);
    if (i < count) widen(PartOctet(from + i, count - i).values.data());
    for (std::size_t p = 0; p < kParts; ++p) {
      low[p] = hn::Mul(low[p], factor);
      high[p] = hn::Mul(high[p], factor);
    }
    *lows++ = joined(low, [](float a, float b) { return a < b ? a : b; });
    *highs++ = joined(high, [](float a, float b) { return a > b ? a : b; });
  }
}

// The numbers of one group in all lanes.
struct GroupGrid {
  O factor, scale, inverse, zero, largest;

  HWY_INLINE GroupGrid(const Grid& grid, float to_normal, float scale_of, float zero_of)
      : factor(hn::Set(Octet(), to_normal)),
        scale(hn::Set(Octet(), scale_of)),
        inverse(hn::Set(Octet(), 1.0f / scale_of)),
        zero(hn::Set(Octet(), zero_of)),
        largest(hn::Set(Octet(), grid.largest_code)) {}

  // x / scale + zero but for three roundings, which are off by less than 5e-5 within the grid.
  HWY_INLINE O position(O x) const { return hn::Add(hn::Mul(x, inverse), zero); }
  HWY_INLINE O nearest(O position_of_x) const {
    return hn::Round(hn::Min(hn::Max(position_of_x, hn::Zero(Octet())), largest));
  }
};

HWY_INLINE void store_codes(O codes, std::uint8_t* to) {
  const hn::Rebind<std::int32_t, Octet> di;
  const hn::Rebind<std::uint8_t, Octet> du8;
  hn::StoreU(hn::DemoteTo(du8, hn::ConvertTo(di, codes)), du8, to);
}

// What the codes of one group lost.
struct GroupSums {
  O signal[kParts], noise[kParts];
  O farthest = hn::Zero(Octet());  // from a code

  HWY_INLINE GroupSums() {
    for (std::size_t p = 0; p < kParts; ++p) signal[p] = noise[p] = hn::Zero(Octet());
  }
};

// Codes of eight values, of which the first `used` count in the sums.
HWY_INLINE void quantize_octet(const float* HWY_RESTRICT values, std::size_t used,
                               const GroupGrid& grid, GroupSums& sums,
                               std::uint8_t* HWY_RESTRICT codes) {
  const Octet d;
  const std::size_t width = hn::Lanes(d);
  for (std::size_t p = 0; p < kParts; ++p) {
    const O x = hn::Mul(hn::LoadU(d, values + p * width), grid.factor);
    const O position = grid.position(x);
    const O code = grid.nearest(position);
    store_codes(code, codes + p * width);
    O difference = hn::Sub(x, hn::Mul(grid.scale, hn::Sub(code, grid.zero)));
    if (used < kOctet) {
      const std::size_t here = used > p * width ? std::min(used - p * width, width) : 0;
      difference = hn::IfThenElseZero(hn::FirstN(d, here), difference);
    }
    sums.farthest = hn::Max(sums.farthest, hn::Abs(hn::Sub(position, code)));
    sums.signal[p] = hn::Add(sums.signal[p], hn::Mul(x, x));
    sums.noise[p] = hn::Add(sums.noise[p], hn::Mul(difference, difference));
  }
}

// The codes of a group in which a value is next to halfway between two: mended by comparison with
// exact products.
HWY_NOINLINE void mend_group(const float* HWY_RESTRICT values, std::size_t count,
                             const GroupGrid& grid, std::uint8_t* HWY_RESTRICT codes) {
  const Octet d;
  const O half = hn::Set(d, 0.5f), one = hn::Set(d, 1.0f);
  HWY_ALIGN std::array<float, kOctet> some = {};
  HWY_ALIGN std::array<std::uint8_t, kOctet> mended;
  for (std::size_t i = 0; i < count; i += hn::Lanes(d)) {
    const std::size_t here = std::min(count - i, hn::Lanes(d));
    std::copy_n(values + i, here, some.begin());
    const O x = hn::Mul(hn::Load(d, some.data()), grid.factor);
    const O guess = grid.nearest(grid.position(x));
    const O above = hn::Mul(hn::Sub(hn::Add(guess, half), grid.zero), grid.scale);
    const O below = hn::Mul(hn::Sub(hn::Sub(guess, half), grid.zero), grid.scale);
    const O halved = hn::Mul(guess, half);
    const auto odd = hn::Ne(halved, hn::Floor(halved));
    const auto up = hn::Or(hn::Gt(x, above), hn::And(hn::Eq(x, above), odd));
    const auto down = hn::Or(hn::Lt(x, below), hn::And(hn::Eq(x, below), odd));
    const O raised = hn::IfThenElse(up, hn::Add(guess, one), guess);
    const O code = hn::IfThenElse(down, hn::Sub(guess, one), raised);
    store_codes(hn::Min(hn::Max(code, hn::Zero(d)), grid.largest), mended.data());
    std::copy_n(mended.begin(), here, codes + i);
  }
}

Distortion QuantizeRow(const WeightRow& row, const Grid& grid, const float* HWY_RESTRICT scales,
                       const float* HWY_RESTRICT zeros, std::uint8_t* HWY_RESTRICT codes) {
  const Octet d;
  const auto add = [](float a, float b) { return a + b; };
  Distortion distortion;
  for (std::size_t start = 0, g = 0; start < row.k; start += row.group, ++g) {
    const std::size_t count = std::min(row.group, row.k - start);
    const float* const values = row.values + start;
    const GroupGrid group(grid, row.to_normal, scales[g], zeros[g]);
    GroupSums sums;
    std::size_t i = 0;
    for (; i + kOctet <= count; i += kOctet) {
      quantize_octet(values + i, kOctet, group, sums, codes + start + i);
    }
    if (i < count) {
      const PartOctet part(values + i, count - i);
      std::array<std::uint8_t, kOctet> last;
      quantize_octet(part.values.data(), count - i, group, sums, last.data());
      std::copy_n(last.begin(), count - i, codes + start + i);
    }
    if (!hn::AllTrue(d, hn::Lt(sums.farthest, hn::Set(d, 0.4999f)))) {
      mend_group(values, count, group, codes + start);
    }
    distortion.signal += static_cast<double>(joined(sums.signal, add));
    distortion.noise += static_cast<double>(joined(sums.noise, add));
  }
  return distortion;
}

}  // namespace
}  // namespace subbyte::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace subbyte {

HWY_EXPORT(RangeOfGroups);
HWY_EXPORT(QuantizeRow);

void range_of_groups(const WeightRow& row, float* lows, float* highs) {
  HWY_DYNAMIC_DISPATCH(RangeOfGroups)(row, lows, highs);
}

Distortion quantize_row(const WeightRow& row, const Grid& grid, const float* scales,
                        const float* zeros, std::uint8_t* codes) {
  return HWY_DYNAMIC_DISPATCH(QuantizeRow)(row, grid, scales, zeros, codes);
}

}  // namespace subbyte
#endif  // HWY_ONCE
