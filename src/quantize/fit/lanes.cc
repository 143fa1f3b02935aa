#include "quantize/fit/lanes.h"

#include <array>

#include "calibrate/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quantize/fit/lanes.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace subbyte::fit::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, 16>;
using V = hn::Vec<Floats>;
constexpr std::int64_t kLanes = hn::MaxLanes(Floats());

void AddMultiple(float a, const float* HWY_RESTRICT x, std::int64_t count, float* HWY_RESTRICT y) {
  const Floats d;
  const V factor = hn::Set(d, a);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    hn::StoreU(hn::Add(hn::LoadU(d, y + i), hn::Mul(factor, hn::LoadU(d, x + i))), d, y + i);
  for (; i < count; ++i) y[i] += a * x[i];
}

void AddMultiples(const float* HWY_RESTRICT a, const float* HWY_RESTRICT x, std::int64_t count,
                  float* HWY_RESTRICT y, std::int64_t stride) {
  const Floats d;
  V factors[kRowsTogether];
  for (int r = 0; r < kRowsTogether; ++r) factors[r] = hn::Set(d, a[r]);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const V values = hn::LoadU(d, x + i);
    for (int r = 0; r < kRowsTogether; ++r) {
      float* const to = y + r * stride + i;
      hn::StoreU(hn::Add(hn::LoadU(d, to), hn::Mul(factors[r], values)), d, to);
    }
  }
  for (; i < count; ++i)
    for (int r = 0; r < kRowsTogether; ++r) y[r * stride + i] += a[r] * x[i];
}

float Dot(const float* HWY_RESTRICT x, const float* HWY_RESTRICT y, std::int64_t count) {
  constexpr std::int64_t kSums = 16;
  constexpr std::int64_t kVectors = kSums / kLanes;
  const Floats d;
  V sums[kVectors];
  for (auto& sum : sums) sum = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + kSums <= count; i += kSums)
    for (std::int64_t v = 0; v < kVectors; ++v)
      sums[v] = hn::Add(
          sums[v], hn::Mul(hn::LoadU(d, x + i + v * kLanes), hn::LoadU(d, y + i + v * kLanes)));
  HWY_ALIGN std::array<float, kSums> lanes;
  for (std::int64_t v = 0; v < kVectors; ++v) hn::Store(sums[v], d, lanes.data() + v * kLanes);
  for (std::int64_t lane = 0; i < count; ++i, ++lane)
    lanes[static_cast<std::size_t>(lane)] += x[i] * y[i];
  for (std::size_t half = kSums / 2; half > 0; half /= 2)
    for (std::size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  return lanes[0];
}

}  // namespace
}  // namespace subbyte::fit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace subbyte::fit {

HWY_EXPORT(AddMultiple);
HWY_EXPORT(AddMultiples);
HWY_EXPORT(Dot);

void add_multiple(float a, const float* x, std::int64_t count, float* y) {
  HWY_DYNAMIC_DISPATCH(AddMultiple)(a, x, count, y);
}
void add_multiples(const float* a, const float* x, std::int64_t count, float* y,
                   std::int64_t stride) {
  HWY_DYNAMIC_DISPATCH(AddMultiples)(a, x, count, y, stride);
}
float dot(const float* x, const float* y, std::int64_t count) {
  return HWY_DYNAMIC_DISPATCH(Dot)(x, y, count);
}

}  // namespace subbyte::fit
#endif  // HWY_ONCE
