#include "calibrate/rows_simd.h"

#include <algorithm>
#include <array>
#include <limits>

#include "calibrate/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "calibrate/rows_simd.cc"
#include "hwy/foreach_target.h"
//
#include "calibrate/lane_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace subbyte::calibrate::HWY_NAMESPACE {
namespace {

using Floats = hn::CappedTag<float, 16>;
using V = hn::Vec<Floats>;
constexpr std::int64_t kLanes = hn::MaxLanes(Floats());
constexpr std::int64_t kSums = 16;
constexpr int kParts = static_cast<int>(kSums / kLanes);

constexpr float kInfinity = std::numeric_limits<float>::infinity();

HWY_INLINE V set(float value) { return hn::Set(Floats(), value); }

// Elements that the sums go over, `missing` where the row has ended.
HWY_INLINE void load_last(const float* x, std::int64_t count, float missing,
                          std::array<float, kSums>& last) {
  last.fill(missing);
  std::copy_n(x, count, last.begin());
}

// How two elements are joined, and the element that changes nothing.
struct Greatest {
  static constexpr float kStart = -kInfinity;
  HWY_INLINE V operator()(V a, V b) const {
    return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(b)), b, a);
  }
  float operator()(float a, float b) const { return a < b || b != b ? b : a; }
};
struct Least {
  static constexpr float kStart = kInfinity;
  HWY_INLINE V operator()(V a, V b) const {
    return hn::IfThenElse(hn::Or(hn::Lt(b, a), hn::IsNaN(b)), b, a);
  }
  float operator()(float a, float b) const { return b < a || b != b ? b : a; }
};
struct Sum {
  static constexpr float kStart = 0;
  HWY_INLINE V operator()(V a, V b) const { return hn::Add(a, b); }
  float operator()(float a, float b) const { return a + b; }
};

// What is joined of an element.
struct Same {
  HWY_INLINE V operator()(V v) const { return v; }
};
struct Magnitude {
  HWY_INLINE V operator()(V v) const { return hn::Abs(v); }
};
struct Square {
  HWY_INLINE V operator()(V v) const { return hn::Mul(v, v); }
};
struct Deviation {
  float mean;
  HWY_INLINE V operator()(V v) const {
    const V difference = hn::Sub(v, set(mean));
    return hn::Mul(difference, difference);
  }
};

// `missing` is an element of which nothing is joined.
template <typename Each, typename Join>
HWY_INLINE float fold_row(const float* x, std::int64_t count, float missing, const Each& each,
                          const Join& join) {
  const Floats d;
  HWY_ALIGN std::array<float, kSums> lane;
  lane.fill(Join::kStart);
  V sums[kParts];
  for (int p = 0; p < kParts; ++p) sums[p] = hn::Load(d, lane.data() + p * kLanes);
  std::int64_t i = 0;
  for (; i + kSums <= count; i += kSums)
    for (int p = 0; p < kParts; ++p)
      sums[p] = join(sums[p], each(hn::LoadU(d, x + i + p * kLanes)));
  if (i < count) {
    load_last(x + i, count - i, missing, lane);
    for (int p = 0; p < kParts; ++p)
      sums[p] = join(sums[p], each(hn::Load(d, lane.data() + p * kLanes)));
  }
  // Pairs of sums, 8 apart, then 4, 2 and 1.
  for (int p = 0; p < kParts; ++p) hn::Store(sums[p], d, lane.data() + p * kLanes);
  for (std::size_t apart = kSums / 2; apart > 0; apart /= 2)
    for (std::size_t k = 0; k < apart; ++k) lane[k] = join(lane[k], lane[k + apart]);
  return lane[0];
}

float ReduceRow(Fold fold, const float* x, std::int64_t count) {
  switch (fold) {
    case Fold::greatest:
      return fold_row(x, count, Greatest::kStart, Same(), Greatest());
    case Fold::least:
      return fold_row(x, count, Least::kStart, Same(), Least());
    case Fold::sum_of_magnitudes:
      return fold_row(x, count, 0, Magnitude(), Sum());
    case Fold::sum_of_squares:
      return fold_row(x, count, 0, Square(), Sum());
    default:
      return fold_row(x, count, 0, Same(), Sum());
  }
}

template <typename Each, typename Join>
HWY_INLINE void fold_columns(const float* x, std::int64_t rows, std::int64_t stride,
                             std::int64_t count, float* out, const Each& each, const Join& join) {
  const Floats d;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    V sum = set(Join::kStart);
    for (std::int64_t r = 0; r < rows; ++r) sum = join(sum, each(hn::LoadU(d, x + r * stride + i)));
    hn::StoreU(sum, d, out + i);
  }
  if (i == count) return;
  HWY_ALIGN std::array<float, kSums> last;
  V sum = set(Join::kStart);
  for (std::int64_t r = 0; r < rows; ++r) {
    load_last(x + r * stride + i, count - i, 0, last);
    sum = join(sum, each(hn::Load(d, last.data())));
  }
  hn::Store(sum, d, last.data());
  std::copy_n(last.data(), count - i, out + i);
}

void ReduceColumns(Fold fold, const float* x, std::int64_t rows, std::int64_t stride,
                   std::int64_t count, float* out) {
  switch (fold) {
    case Fold::greatest:
      return fold_columns(x, rows, stride, count, out, Same(), Greatest());
    case Fold::least:
      return fold_columns(x, rows, stride, count, out, Same(), Least());
    case Fold::sum_of_magnitudes:
      return fold_columns(x, rows, stride, count, out, Magnitude(), Sum());
    case Fold::sum_of_squares:
      return fold_columns(x, rows, stride, count, out, Square(), Sum());
    default:
      return fold_columns(x, rows, stride, count, out, Same(), Sum());
  }
}

// out = f(x)
template <typename F>
HWY_INLINE void map_row(const float* x, std::int64_t count, float* out, const F& f) {
  const Floats d;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) hn::StoreU(f(hn::LoadU(d, x + i)), d, out + i);
  if (i == count) return;
  HWY_ALIGN std::array<float, kSums> last;
  load_last(x + i, count - i, 0, last);
  hn::Store(f(hn::Load(d, last.data())), d, last.data());
  std::copy_n(last.data(), count - i, out + i);
}

float ExpRow(const float* x, float shift, std::int64_t count, float* out) {
  const Floats d;
  map_row(x, count, out, [&](V v) HWY_ATTR { return exp_lanes(d, hn::Sub(v, set(shift))); });
  return ReduceRow(Fold::sum, out, count);
}

void DivideRow(const float* x, float divisor, std::int64_t count, float* out) {
  map_row(x, count, out, [&](V v) HWY_ATTR { return hn::Div(v, set(divisor)); });
}

void ShiftRow(const float* x, float shift, std::int64_t count, float* out) {
  map_row(x, count, out, [&](V v) HWY_ATTR { return hn::Sub(v, set(shift)); });
}

float DeviationOfRow(const float* x, float mean, std::int64_t count) {
  return fold_row(x, count, mean, Deviation{mean}, Sum());
}

void NormalizeRow(const float* x, float mean, float factor, const float* scale, const float* bias,
                  std::int64_t count, float* out) {
  const Floats d;
  const auto at = [&](V v, const float* s, const float* b) HWY_ATTR {
    const V normal = hn::Mul(hn::Mul(hn::Sub(v, set(mean)), set(factor)), hn::LoadU(d, s));
    return b == nullptr ? normal : hn::Add(normal, hn::LoadU(d, b));
  };
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const V v = at(hn::LoadU(d, x + i), scale + i, bias == nullptr ? nullptr : bias + i);
    hn::StoreU(v, d, out + i);
  }
  if (i == count) return;
  HWY_ALIGN std::array<float, kSums> last, scales, biases;
  load_last(x + i, count - i, 0, last);
  load_last(scale + i, count - i, 0, scales);
  if (bias != nullptr) load_last(bias + i, count - i, 0, biases);
  hn::Store(at(hn::Load(d, last.data()), scales.data(), bias == nullptr ? nullptr : biases.data()),
            d, last.data());
  std::copy_n(last.data(), count - i, out + i);
}

}  // namespace
}  // namespace subbyte::calibrate::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace subbyte::calibrate {

HWY_EXPORT(ReduceRow);
HWY_EXPORT(ReduceColumns);
HWY_EXPORT(ExpRow);
HWY_EXPORT(DivideRow);
HWY_EXPORT(ShiftRow);
HWY_EXPORT(DeviationOfRow);
HWY_EXPORT(NormalizeRow);

float reduce_row(Fold fold, const float* x, std::int64_t count) {
  return HWY_DYNAMIC_DISPATCH(ReduceRow)(fold, x, count);
}
void reduce_columns(Fold fold, const float* x, std::int64_t rows, std::int64_t stride,
                    std::int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(ReduceColumns)(fold, x, rows, stride, count, out);
}
float exp_row(const float* x, float shift, std::int64_t count, float* out) {
  return HWY_DYNAMIC_DISPATCH(ExpRow)(x, shift, count, out);
}
void divide_row(const float* x, float divisor, std::int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(DivideRow)(x, divisor, count, out);
}
void shift_row(const float* x, float shift, std::int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(ShiftRow)(x, shift, count, out);
}
float deviation_of_row(const float* x, float mean, std::int64_t count) {
  return HWY_DYNAMIC_DISPATCH(DeviationOfRow)(x, mean, count);
}
void normalize_row(const float* x, float mean, float factor, const float* scale, const float* bias,
                   std::int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(NormalizeRow)(x, mean, factor, scale, bias, count, out);
}

}  // namespace subbyte::calibrate
#endif  // HWY_ONCE
