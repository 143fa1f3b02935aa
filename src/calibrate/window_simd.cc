#include "calibrate/window_simd.h"

#include <algorithm>
#include <array>
#include <limits>

#include "calibrate/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "calibrate/window_simd.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace subbyte::calibrate::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, 16>;
using V = hn::Vec<Floats>;
constexpr std::int64_t kLanes = hn::MaxLanes(Floats());

// Several vectors at a time hide how long an addition takes.
template <int kVectors, typename Step>
HWY_INLINE void places_of(const float* HWY_RESTRICT row, std::span<const std::int64_t> taps,
                          float start, const Step& step, std::int64_t places,
                          float* HWY_RESTRICT out) {
  const Floats d;
  V results[kVectors];
  for (int v = 0; v < kVectors; ++v) results[v] = hn::Set(d, start);
  for (std::size_t t = 0; t < taps.size(); ++t) {
    for (int v = 0; v < kVectors; ++v)
      results[v] = step(results[v], hn::LoadU(d, row + taps[t] + v * kLanes), t);
  }
  if (places >= kVectors * kLanes) {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(results[v], d, out + v * kLanes);
    return;
  }
  HWY_ALIGN std::array<float, kVectors * kLanes> values;
  for (int v = 0; v < kVectors; ++v) hn::Store(results[v], d, values.data() + v * kLanes);
  std::copy_n(values.data(), places, out);
}

template <typename Step>
HWY_INLINE void row_of(const float* row, std::span<const std::int64_t> taps, float start,
                       const Step& step, std::int64_t places, float* out) {
  constexpr int kMany = 4;
  std::int64_t x = 0;
  for (; x + kMany * kLanes <= places; x += kMany * kLanes)
    places_of<kMany>(row + x, taps, start, step, kMany * kLanes, out + x);
  for (; x < places; x += kLanes) places_of<1>(row + x, taps, start, step, places - x, out + x);
}

void SumProducts(const float* row, std::span<const std::int64_t> taps, const float* weights,
                 std::int64_t places, float* out) {
  const Floats d;
  const auto step = [&](V sum, V x, std::size_t t)
                        HWY_ATTR { return hn::Add(sum, hn::Mul(hn::Set(d, weights[t]), x)); };
  row_of(row, taps, 0.0f, step, places, out);
}

void Sum(const float* row, std::span<const std::int64_t> taps, std::int64_t places, float* out) {
  const auto step = [](V sum, V x, std::size_t) HWY_ATTR { return hn::Add(sum, x); };
  row_of(row, taps, 0.0f, step, places, out);
}

void Greatest(const float* row, std::span<const std::int64_t> taps, std::int64_t places,
              float* out) {
  const auto step = [](V most, V x, std::size_t)
                        HWY_ATTR { return hn::IfThenElse(hn::Gt(x, most), x, most); };
  row_of(row, taps, -std::numeric_limits<float>::infinity(), step, places, out);
}

}  // namespace
}  // namespace subbyte::calibrate::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace subbyte::calibrate {

HWY_EXPORT(SumProducts);
HWY_EXPORT(Sum);
HWY_EXPORT(Greatest);

void window_sum_products(const float* row, std::span<const std::int64_t> taps, const float* weights,
                         std::int64_t places, float* out) {
  HWY_DYNAMIC_DISPATCH(SumProducts)(row, taps, weights, places, out);
}
void window_sum(const float* row, std::span<const std::int64_t> taps, std::int64_t places,
                float* out) {
  HWY_DYNAMIC_DISPATCH(Sum)(row, taps, places, out);
}
void window_greatest(const float* row, std::span<const std::int64_t> taps, std::int64_t places,
                     float* out) {
  HWY_DYNAMIC_DISPATCH(Greatest)(row, taps, places, out);
}

}  // namespace subbyte::calibrate
#endif  // HWY_ONCE
