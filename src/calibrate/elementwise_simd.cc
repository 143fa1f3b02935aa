#include "calibrate/elementwise_simd.h"

#include <algorithm>
#include <array>

#include "calibrate/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "calibrate/elementwise_simd.cc"
#include "hwy/foreach_target.h"
//
#include "calibrate/lane_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace subbyte::calibrate::HWY_NAMESPACE {
namespace {

using Floats = hn::CappedTag<float, 16>;
using V = hn::Vec<Floats>;
constexpr std::int64_t kLanes = hn::MaxLanes(Floats());

HWY_INLINE V set(float value) { return hn::Set(Floats(), value); }

// The last few numbers of an array, as a whole vector.
HWY_INLINE V load_some(const float* from, std::int64_t count) {
  HWY_ALIGN std::array<float, kLanes> values = {};
  std::copy_n(from, count, values.begin());
  return hn::Load(Floats(), values.data());
}
HWY_INLINE void store_some(V v, std::int64_t count, float* to) {
  HWY_ALIGN std::array<float, kLanes> values;
  hn::Store(v, Floats(), values.data());
  std::copy_n(values.data(), count, to);
}

template <typename F>
HWY_INLINE void map(const float* x, std::int64_t count, float* out, const F& f) {
  const Floats d;
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) hn::StoreU(f(hn::LoadU(d, x + i)), d, out + i);
  if (i < count) store_some(f(load_some(x + i, count - i)), count - i, out + i);
}

template <typename F>
HWY_INLINE void zip(const float* a, std::int64_t a_step, const float* b, std::int64_t b_step,
                    std::int64_t count, float* out, const F& f) {
  const Floats d;
  if (a_step == 0) {
    const V x = set(*a);
    map(b, count, out, [&](V y) HWY_ATTR { return f(x, y); });
    return;
  }
  if (b_step == 0) {
    const V y = set(*b);
    map(a, count, out, [&](V x) HWY_ATTR { return f(x, y); });
    return;
  }
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    hn::StoreU(f(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, out + i);
  if (i < count) {
    store_some(f(load_some(a + i, count - i), load_some(b + i, count - i)), count - i, out + i);
  }
}

// Within [0, 1]; a NaN stays.
HWY_INLINE V saturate(V x) {
  const V above = hn::IfThenElse(hn::Lt(x, set(0)), set(0), x);
  return hn::IfThenElse(hn::Gt(above, set(1)), set(1), above);
}

HWY_INLINE V gelu(V x, bool tanh_approximation) {
  const Floats d;
  V inner;
  if (tanh_approximation) {
    const V cubed = hn::Mul(hn::Mul(hn::Mul(set(0.044715f), x), x), x);
    inner = tanh_lanes(d, hn::Mul(set(0.7978845608f), hn::Add(x, cubed)));
  } else {
    inner = erf_lanes(d, hn::Mul(x, set(0.7071067812f)));
  }
  return hn::Mul(hn::Mul(set(0.5f), x), hn::Add(set(1), inner));
}

void UnaryLanes(Unary f, const LaneParameters& p, const float* x, std::int64_t count, float* out) {
  const Floats d;
  const auto apply = [&](const auto& one) HWY_ATTR { map(x, count, out, one); };
  switch (f) {
    case Unary::abs:
      return apply([](V v) HWY_ATTR { return hn::Abs(v); });
    case Unary::ceil:
      return apply([&](V v) HWY_ATTR { return ceil_lanes(d, v); });
    case Unary::erf:
      return apply([&](V v) HWY_ATTR { return erf_lanes(d, v); });
    case Unary::exp:
      return apply([&](V v) HWY_ATTR { return exp_lanes(d, v); });
    case Unary::floor:
      return apply([&](V v) HWY_ATTR { return floor_lanes(d, v); });
    case Unary::gelu:
      return apply([&](V v) HWY_ATTR { return gelu(v, p.tanh_approximation); });
    case Unary::hard_sigmoid:
      return apply(
          [&](V v) HWY_ATTR { return saturate(hn::Add(hn::Mul(set(p.alpha), v), set(p.beta))); });
    case Unary::hard_swish:
      return apply([](V v) HWY_ATTR {
        return hn::Mul(v, saturate(hn::Add(hn::Div(v, set(6)), set(0.5f))));
      });
    case Unary::leaky_relu:
      return apply([&](V v) HWY_ATTR {
        return hn::IfThenElse(hn::Lt(v, set(0)), hn::Mul(set(p.alpha), v), v);
      });
    case Unary::neg:
      return apply([](V v) HWY_ATTR { return hn::Neg(v); });
    case Unary::reciprocal:
      return apply([](V v) HWY_ATTR { return hn::Div(set(1), v); });
    case Unary::relu:
      return apply([](V v) HWY_ATTR { return hn::IfThenElse(hn::Lt(v, set(0)), set(0), v); });
    case Unary::round:
      return apply([&](V v) HWY_ATTR { return round_lanes(d, v); });
    case Unary::sigmoid:
      return apply([&](V v) HWY_ATTR { return sigmoid_lanes(d, v); });
    case Unary::softsign:
      return apply([](V v) HWY_ATTR { return hn::Div(v, hn::Add(set(1), hn::Abs(v))); });
    case Unary::sqrt:
      return apply([](V v) HWY_ATTR { return hn::Sqrt(v); });
    case Unary::tanh:
      return apply([&](V v) HWY_ATTR { return tanh_lanes(d, v); });
    case Unary::thresholded_relu:
      return apply([&](V v)
                       HWY_ATTR { return hn::IfThenElse(hn::Gt(v, set(p.alpha)), v, set(0)); });
  }
}

void BinaryLanes(Binary f, const float* a, std::int64_t a_step, const float* b, std::int64_t b_step,
                 std::int64_t count, float* out) {
  const auto apply = [&](const auto& one) HWY_ATTR { zip(a, a_step, b, b_step, count, out, one); };
  switch (f) {
    case Binary::add:
      return apply([](V x, V y) HWY_ATTR { return hn::Add(x, y); });
    case Binary::div:
      return apply([](V x, V y) HWY_ATTR { return hn::Div(x, y); });
    case Binary::max:
      return apply([](V x, V y) HWY_ATTR {
        return hn::IfThenElse(hn::Or(hn::Lt(x, y), hn::IsNaN(y)), y, x);
      });
    case Binary::min:
      return apply([](V x, V y) HWY_ATTR {
        return hn::IfThenElse(hn::Or(hn::Lt(y, x), hn::IsNaN(y)), y, x);
      });
    case Binary::mul:
      return apply([](V x, V y) HWY_ATTR { return hn::Mul(x, y); });
    case Binary::prelu:
      return apply([](V x, V y)
                       HWY_ATTR { return hn::IfThenElse(hn::Lt(x, set(0)), hn::Mul(x, y), x); });
    case Binary::sub:
      return apply([](V x, V y) HWY_ATTR { return hn::Sub(x, y); });
  }
}

void Clip(const float* x, float low, float high, std::int64_t count, float* out) {
  map(x, count, out, [&](V v) HWY_ATTR {
    const V above = hn::IfThenElse(hn::Lt(v, set(low)), set(low), v);
    return hn::IfThenElse(hn::Gt(above, set(high)), set(high), above);
  });
}

}  // namespace
}  // namespace subbyte::calibrate::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace subbyte::calibrate {

HWY_EXPORT(UnaryLanes);
HWY_EXPORT(BinaryLanes);
HWY_EXPORT(Clip);

void unary_lanes(Unary f, const LaneParameters& parameters, const float* x, std::int64_t count,
                 float* out) {
  HWY_DYNAMIC_DISPATCH(UnaryLanes)(f, parameters, x, count, out);
}
void binary_lanes(Binary f, const float* a, std::int64_t a_step, const float* b,
                  std::int64_t b_step, std::int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(BinaryLanes)(f, a, a_step, b, b_step, count, out);
}
void clip_lanes(const float* x, float low, float high, std::int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(Clip)(x, low, high, count, out);
}

}  // namespace subbyte::calibrate
#endif  // HWY_ONCE
