#include "base/scalar_math.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

namespace subbyte {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kHalfPi = 0x1.921fb54442d18p+0;
// The logarithm of 2, and what its first 32 bits leave.
constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;

// 2^n for n in [-1022, 1023].
double power_of_two(int n) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52);
}

// e^r - 1 by its series, |r| <= log(2) / 2.
double small_expm1(double r) {
  double sum = 0;
  for (int n = 14; n >= 1; --n) sum = (r + r * sum) / n;
  return sum;
}

// x = n * log(2) + r.
int reduce_exp(double x, double& r) {
  const double n = std::nearbyint(x * 0x1.71547652b82fep+0);
  r = (x - n * kLn2High) - n * kLn2Low;
  return static_cast<int>(n);
}

// The series of the arc tangent, |x| below 0.2, after two halvings of the angle.
double small_atan(double x) {
  for (int i = 0; i < 2; ++i) x = x / (1 + std::sqrt(1 + x * x));
  const double z = x * x;
  double sum = 0;
  for (int n = 21; n >= 1; n -= 2) sum = 1.0 / n - z * sum;
  return 4 * x * sum;
}

double small_sin(double r) {
  const double z = r * r;
  double sum = 1;
  for (int n = 17; n >= 3; n -= 2) sum = 1 - z / (n * (n - 1)) * sum;
  return r * sum;
}

double small_cos(double r) {
  const double z = r * r;
  double sum = 1;
  for (int n = 18; n >= 2; n -= 2) sum = 1 - z / (n * (n - 1)) * sum;
  return sum;
}

__extension__ typedef unsigned __int128 Wide;

// 2 / pi in binary, 64 bits a word (OEIS A247720 to base 2^64).
constexpr std::uint64_t kTwoOverPi[] = {0xa2f9836e4e441529u, 0xfc2757d1f534ddc0u,
                                        0xdb6295993c439041u, 0xfe5163abdebbc561u};

// 64 bits of 2 / pi from bit `at` behind the point on; in front of it are zeros.
std::uint64_t bits_of_two_over_pi(int at) {
  const auto word = [](int i) { return i < 0 || i > 3 ? std::uint64_t{0} : kTwoOverPi[i]; };
  const int index = at >= 0 ? at / 64 : -((63 - at) / 64);
  const int shift = at - index * 64;
  if (shift == 0) return word(index);
  return word(index) << shift | word(index + 1) >> (64 - shift);
}

// x = (4 * anything + quadrant) * pi / 2 + r, |r| <= pi / 4, for finite x (Payne and Hanek 1983):
// of the product of x's 24 bits with 2 / pi only those bits are computed that are worth less
// than 4.
int reduce_angle(float x, double& r) {
  if (std::fabs(x) < 0.78f) {
    r = static_cast<double>(x);
    return 0;
  }
  int exponent = 0;
  const float fraction = std::frexp(std::fabs(x), &exponent);
  // |x| = mantissa * 2^(exponent - 24).
  const auto mantissa = static_cast<std::uint64_t>(std::ldexp(fraction, 24));
  // All before this bit of 2 / pi gives multiples of 4. The product with the 128 bits from it on
  // has its two integer bits at the top.
  const int first = exponent - 26;
  const std::uint64_t high = bits_of_two_over_pi(first), low = bits_of_two_over_pi(first + 64);
  const Wide product =
      (static_cast<Wide>(high * mantissa) << 64) + static_cast<Wide>(low) * mantissa;
  int quadrant = static_cast<int>(static_cast<std::uint64_t>(product >> 126));
  const auto rest = static_cast<std::uint64_t>(product >> 62);  // fraction of a quadrant, 64 bits
  double part = static_cast<double>(rest) * 0x1p-64;
  if (rest >> 63 != 0) {
    quadrant = (quadrant + 1) & 3;
    part = -(static_cast<double>(~rest + 1) * 0x1p-64);
  }
  r = part * kHalfPi;
  if (x < 0) {
    r = -r;
    quadrant = (4 - quadrant) & 3;
  }
  return quadrant;
}

// The same for |x| < 2^20 * pi / 2, by pi / 2 in three parts, of which the first two times such a
// quadrant are exact (Cody and Waite 1980).
constexpr double kMostWide = 0x1p20;
int reduce_wide_angle(double x, double& r) {
  constexpr double kHigh = 0x1.921fb544p+0, kMiddle = 0x1.0b4611a6p-34,
                   kLow = 0x1.3198a2e037073p-69;
  const double n = std::nearbyint(x * 0x1.45f306dc9c883p-1);
  r = ((x - n * kHigh) - n * kMiddle) - n * kLow;
  return static_cast<int>(n) & 3;
}

bool is_of_float(double x) { return static_cast<double>(static_cast<float>(x)) == x; }

double sin_of_quadrant(int quadrant, double r) {
  const double value = (quadrant & 1) == 0 ? small_sin(r) : small_cos(r);
  return (quadrant & 2) == 0 ? value : -value;
}

}  // namespace

double exp_of(double x) {
  if (std::isnan(x)) return x;
  if (x > 709.7) return kInfinity;
  if (x < -708) return 0;
  double r = 0;
  const int n = reduce_exp(x, r);
  return (1 + small_expm1(r)) * power_of_two(n);
}

double expm1_of(double x) {
  if (std::isnan(x) || x == 0) return x;
  if (std::fabs(x) < 0.3) return small_expm1(x);
  return exp_of(x) - 1;
}

// log(m * 2^n) = n * log(2) + 2 * atanh((m - 1) / (m + 1)), m in [sqrt(1 / 2), sqrt(2)).
double log_of(double x) {
  if (std::isnan(x) || x == kInfinity) return x;
  if (x == 0) return -kInfinity;
  if (x < 0) return kNan;
  int n = 0;
  double m = std::frexp(x, &n);
  if (m < 0x1.6a09e667f3bcdp-1) {
    m *= 2;
    --n;
  }
  const double s = (m - 1) / (m + 1), z = s * s;
  double sum = 0;
  for (int i = 21; i >= 1; i -= 2) sum = 1.0 / i + z * sum;
  return n * kLn2High + (n * kLn2Low + 2 * s * sum);
}

double log1p_of(double x) {
  if (std::fabs(x) > 0.3 || std::isnan(x)) return log_of(1 + x);
  const double s = x / (2 + x), z = s * s;
  double sum = 0;
  for (int i = 21; i >= 1; i -= 2) sum = 1.0 / i + z * sum;
  return x == 0 ? x : 2 * s * sum;
}

double log10_of(double x) { return log_of(x) / 0x1.26bb1bbb55516p+1; }

double sin_of(float x) {
  if (!std::isfinite(x)) return kNan;
  if (x == 0) return static_cast<double>(x);
  double r = 0;
  const int quadrant = reduce_angle(x, r);
  return sin_of_quadrant(quadrant, r);
}

double cos_of(float x) {
  if (!std::isfinite(x)) return kNan;
  double r = 0;
  const int quadrant = reduce_angle(x, r);
  return sin_of_quadrant(quadrant + 1, r);
}

double tan_of(float x) { return x == 0 ? static_cast<double>(x) : sin_of(x) / cos_of(x); }

double sin_of(double x) {
  if (!std::isfinite(x)) return kNan;
  if (std::fabs(x) < 0x1p127 && is_of_float(x)) return sin_of(static_cast<float>(x));
  if (std::fabs(x) >= kMostWide) return std::sin(x);
  double r = 0;
  const int quadrant = reduce_wide_angle(x, r);
  return sin_of_quadrant(quadrant, r);
}

double cos_of(double x) {
  if (!std::isfinite(x)) return kNan;
  if (std::fabs(x) < 0x1p127 && is_of_float(x)) return cos_of(static_cast<float>(x));
  if (std::fabs(x) >= kMostWide) return std::cos(x);
  double r = 0;
  const int quadrant = reduce_wide_angle(x, r);
  return sin_of_quadrant(quadrant + 1, r);
}

double tan_of(double x) { return x == 0 ? x : sin_of(x) / cos_of(x); }

// Abramowitz and Stegun 7.1.6, all of whose terms are positive; beyond, 1 - erfc by the continued
// fraction 7.1.14.
double erf_of(double x) {
  if (std::isnan(x) || x == 0) return x;
  constexpr double kTwoOverRootPi = 0x1.20dd750429b6dp+0;
  const double a = std::fabs(x), square = a * a;
  if (a > 6) return std::copysign(1.0, x);
  if (a < 2.5) {
    double term = a, sum = a;
    for (int n = 1; term > sum * 0x1p-60; ++n) {
      term *= 2 * square / (2 * n + 1);
      sum += term;
    }
    return std::copysign(kTwoOverRootPi * exp_of(-square) * sum, x);
  }
  double fraction = a;
  for (int n = 60; n >= 1; --n) fraction = a + n / 2.0 / fraction;
  return std::copysign(1 - kTwoOverRootPi / 2 * exp_of(-square) / fraction, x);
}

double atan_of(double x) {
  if (std::isnan(x) || x == 0) return x;
  if (x < 0) return -atan_of(-x);
  if (x > 1) return kHalfPi - (x == kInfinity ? 0 : small_atan(1 / x));
  return small_atan(x);
}

double asin_of(double x) {
  if (std::isnan(x) || std::fabs(x) > 1) return kNan;
  if (std::fabs(x) == 1) return std::copysign(kHalfPi, x);
  return atan_of(x / std::sqrt((1 - x) * (1 + x)));
}

double acos_of(double x) {
  if (std::isnan(x) || std::fabs(x) > 1) return kNan;
  if (x == -1) return 2 * kHalfPi;
  return 2 * atan_of(std::sqrt((1 - x) / (1 + x)));
}

double sinh_of(double x) {
  if (std::isnan(x) || x == 0) return x;
  const double a = std::fabs(x);
  const double e = expm1_of(a);
  const double value = a > 50 ? e / 2 : (e + e / (e + 1)) / 2;
  return std::copysign(value, x);
}

double cosh_of(double x) {
  const double e = exp_of(std::fabs(x));
  return e / 2 + 0.5 / e;
}

double tanh_of(double x) {
  if (std::isnan(x) || x == 0) return x;
  const double a = std::fabs(x);
  const double e = expm1_of(2 * (a > 50 ? 50 : a));
  return std::copysign(e / (e + 2), x);
}

double asinh_of(double x) {
  if (std::isnan(x) || x == 0 || std::isinf(x)) return x;
  const double a = std::fabs(x);
  return std::copysign(log1p_of(a + a * a / (1 + std::sqrt(1 + a * a))), x);
}

double acosh_of(double x) {
  if (std::isnan(x) || x < 1) return kNan;
  const double t = x - 1;
  return log1p_of(t + std::sqrt(2 * t + t * t));
}

double atanh_of(double x) {
  if (std::isnan(x) || x == 0) return x;
  if (std::fabs(x) > 1) return kNan;
  if (std::fabs(x) == 1) return std::copysign(kInfinity, x);
  const double a = std::fabs(x);
  return std::copysign(0.5 * log1p_of(2 * a / (1 - a)), x);
}

double pow_of(double x, double y) {
  constexpr double kMostFactors = 8;
  if (y == 0 || x == 1) return 1;
  if (std::isnan(x) || std::isnan(y)) return kNan;
  const bool whole = std::isinf(y) || std::floor(y) == y;
  const bool odd = whole && !std::isinf(y) && std::fabs(y) < 0x1p53 && std::floor(y / 2) != y / 2;
  if (x < 0 && !whole) return std::isinf(x) ? (y < 0 ? 0 : kInfinity) : kNan;
  if (whole && std::fabs(y) <= kMostFactors) {
    double value = 1;
    for (int i = 0; i < static_cast<int>(std::fabs(y)); ++i) value *= x;
    return y < 0 ? 1 / value : value;
  }
  if (y == 0.5 && std::isfinite(x)) return std::sqrt(std::fabs(x));
  const double a = std::fabs(x);
  double value = 0;
  if (a == 0 || std::isinf(a)) {
    value = (a == 0) == (y < 0) ? kInfinity : 0;
  } else if (std::isinf(y)) {
    value = a == 1 ? 1 : (a > 1) == (y > 0) ? kInfinity : 0;
  } else {
    value = exp_of(y * log_of(a));
  }
  return odd ? std::copysign(value, x) : value;
}

}  // namespace subbyte
