// exp, tanh, erf and the logistic function over lanes of float32, for each instruction set: sums
// and products of their own, so the same bits everywhere. The polynomials are fitted for the least
// greatest relative error, each below a tenth of a float's last bit.
#if defined(SUBBYTE_CALIBRATE_LANE_MATH) == defined(HWY_TARGET_TOGGLE)
#ifdef SUBBYTE_CALIBRATE_LANE_MATH
#undef SUBBYTE_CALIBRATE_LANE_MATH
#else
#define SUBBYTE_CALIBRATE_LANE_MATH
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace subbyte::calibrate::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// c[0] + c[1] * x + c[2] * x^2 + ...
template <class D, class V, std::size_t n>
HWY_INLINE V polynomial(D d, V x, const float (&c)[n]) {
  V sum = hn::Set(d, c[n - 1]);
  for (std::size_t i = n - 1; i-- > 0;) sum = hn::Add(hn::Mul(sum, x), hn::Set(d, c[i]));
  return sum;
}

// To the nearest whole number, ties to even, for |x| < 2^22: larger sums have no fraction.
template <class D, class V>
HWY_INLINE V round_small(D d, V x) {
  const V shift = hn::Set(d, 0x1.8p23f);
  return hn::Sub(hn::Add(x, shift), shift);
}

// 2^n for whole n in [-126, 127].
template <class D, class V>
HWY_INLINE V power_of_two(D d, V n) {
  const hn::RebindToSigned<D> di;
  const auto biased = hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127));
  return hn::BitCast(d, hn::ShiftLeft<23>(biased));
}

// e^x = 2^n * e^r, |r| <= log(2) / 2. Within 2 units of the last place; subnormals too.
template <class D, class V>
HWY_INLINE V exp_lanes(D d, V x) {
  constexpr float kSeries[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a2p-7f,
                               0x1.6a23ccp-10f};
  // Beyond these the result is 0 or an infinity, and 2^n has no float.
  const V high = hn::Set(d, 89.0f), low = hn::Set(d, -104.0f);
  V y = hn::IfThenElse(hn::Gt(x, high), high, x);
  y = hn::IfThenElse(hn::Lt(y, low), low, y);
  // What follows must not meet a NaN: what integer it becomes depends on the machine.
  y = hn::IfThenZeroElse(hn::IsNaN(x), y);
  const V n = round_small(d, hn::Mul(y, hn::Set(d, 0x1.715476p+0f)));
  // The first part of log(2) has 15 bits: its product with n is exact.
  V r = hn::Sub(y, hn::Mul(n, hn::Set(d, 0x1.62e4p-1f)));
  r = hn::Sub(r, hn::Mul(n, hn::Set(d, 0x1.7f7d1cp-20f)));
  const V p =
      hn::Add(hn::Set(d, 1.0f), hn::Add(r, hn::Mul(hn::Mul(r, r), polynomial(d, r, kSeries))));
  // In two steps: 2^n may be beyond a float where the result is not.
  const V half = round_small(d, hn::Mul(n, hn::Set(d, 0.5f)));
  const V result = hn::Mul(hn::Mul(p, power_of_two(d, half)), power_of_two(d, hn::Sub(n, half)));
  return hn::IfThenElse(hn::IsNaN(x), x, result);
}

// To the nearest whole number, ties to even; zeros keep their sign, as highway's own do not on
// every machine.
template <class D, class V>
HWY_INLINE V round_lanes(D d, V x) {
  const V a = hn::Abs(x), shift = hn::Set(d, 0x1p23f);
  const V rounded = hn::CopySign(hn::Sub(hn::Add(a, shift), shift), x);
  return hn::IfThenElse(hn::Lt(a, shift), rounded, x);
}

template <class D, class V>
HWY_INLINE V floor_lanes(D d, V x) {
  const V near = round_lanes(d, x);
  const V below = hn::Sub(near, hn::Set(d, 1.0f));
  return hn::IfThenElse(hn::Gt(near, x), below, near);
}

template <class D, class V>
HWY_INLINE V ceil_lanes(D d, V x) {
  return hn::Neg(floor_lanes(d, hn::Neg(x)));
}

// Without overflow on either side.
template <class D, class V>
HWY_INLINE V sigmoid_lanes(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V e = exp_lanes(d, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
}

// x + x^3 * series near 0, 1 - 2 / (e^2x + 1) elsewhere.
template <class D, class V>
HWY_INLINE V tanh_lanes(D d, V x) {
  constexpr float kSeries[] = {-0.33333281942784065f, 0.13331442215039555f, -0.05373971627969132f,
                               0.02063909065810529f, -0.0057049904106738795f};
  const V a = hn::Abs(x), z = hn::Mul(x, x), one = hn::Set(d, 1.0f);
  const V near = hn::Add(x, hn::Mul(hn::Mul(x, z), polynomial(d, z, kSeries)));
  const V e = exp_lanes(d, hn::Add(a, a));
  const V far = hn::Sub(one, hn::Div(hn::Set(d, 2.0f), hn::Add(e, one)));
  return hn::IfThenElse(hn::Lt(a, hn::Set(d, 0.625f)), near, hn::CopySign(far, x));
}

// x * series near 0, 1 - e^-series elsewhere; from 3.95 on it rounds to 1.
template <class D, class V>
HWY_INLINE V erf_lanes(D d, V x) {
  constexpr float kNear[] = {1.1283791657317241f,    -0.37612625838065716f, 0.11283585257652273f,
                             -0.026853815626758204f, 0.005188333773228762f, -0.0008010241892213721f,
                             7.85400874538239e-05f};
  constexpr float kFar[] = {-0.00018846765694183844f, 1.1295803113400262f,    0.63321639596849f,
                            0.1084221016520116f,      -0.025210341707544714f, 0.004205285690448757f,
                            -0.0004414728775212762f,  2.1697635902540036e-05f};
  const V a = hn::Abs(x), most = hn::Set(d, 3.95f), z = hn::Mul(x, x);
  const V near = hn::Mul(x, polynomial(d, z, kNear));
  const V clamped = hn::IfThenElse(hn::Gt(a, most), most, a);
  const V far = hn::Sub(hn::Set(d, 1.0f), exp_lanes(d, hn::Neg(polynomial(d, clamped, kFar))));
  return hn::IfThenElse(hn::Lt(a, hn::Set(d, 1.0f)), near, hn::CopySign(far, x));
}

}  // namespace subbyte::calibrate::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggled for each instruction set
