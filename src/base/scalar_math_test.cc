#include "base/scalar_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace subbyte {
namespace {

void expect_same(double found, double expected, double x) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(found)) << "at " << x;
  } else if (std::isinf(expected) || expected == 0) {
    EXPECT_EQ(found, expected) << "at " << x;
    EXPECT_EQ(std::signbit(found), std::signbit(expected)) << "at " << x;
  } else {
    EXPECT_NEAR(found / expected, 1, 1e-9) << "at " << x;
  }
}

struct Function {
  double (*own)(double);
  double (*library)(double);
  double most;  // magnitude of arguments
};

TEST(ScalarMath, AgreesWithTheLibrary) {
  const Function functions[] = {
      {exp_of, std::exp, 700},     {expm1_of, std::expm1, 700}, {log_of, std::log, 1e30},
      {log1p_of, std::log1p, 5},   {atan_of, std::atan, 1e5},   {asin_of, std::asin, 1},
      {acos_of, std::acos, 1},     {sinh_of, std::sinh, 700},   {cosh_of, std::cosh, 700},
      {asinh_of, std::asinh, 1e8}, {acosh_of, std::acosh, 1e8}, {atanh_of, std::atanh, 1},
      {tanh_of, std::tanh, 30},    {erf_of, std::erf, 7},       {log10_of, std::log10, 1e30}};
  const double inf = HUGE_VAL;
  std::mt19937 random(1);
  std::uniform_real_distribution<double> draw(-1, 1);
  for (const Function& f : functions) {
    for (const double x : {0.0, -0.0, 1.0, -1.0, 0.5, 2.0, inf, -inf, double{NAN}}) {
      if (f.library == static_cast<double (*)(double)>(std::log1p) && x < -1) continue;
      expect_same(f.own(x), f.library(x), x);
    }
    for (int i = 0; i < 4000; ++i) {
      // Of all magnitudes up to the greatest. acosh and acos lose digits where they are next to 0.
      const double x = draw(random) * f.most * std::pow(10, -(i % 5));
      if (f.own == log1p_of && x <= -1) continue;
      expect_same(f.own(x), f.library(x), x);
    }
  }
}

TEST(ScalarMath, AnglesOfAnySize) {
  std::mt19937 random(2);
  std::uniform_real_distribution<float> draw(-1, 1);
  for (int i = 0; i < 40000; ++i) {
    const float x = std::ldexp(draw(random), i % 150 - 22);
    const auto wide = static_cast<double>(x);
    expect_same(sin_of(x), std::sin(wide), wide);
    expect_same(cos_of(x), std::cos(wide), wide);
    expect_same(tan_of(x), std::tan(wide), wide);
  }
  for (const float x : {0.0f, -0.0f, HUGE_VALF, NAN, 3.4e38f, 1.57079637f, 3.14159274f}) {
    const auto wide = static_cast<double>(x);
    expect_same(sin_of(x), std::sin(wide), wide);
    expect_same(cos_of(x), std::cos(wide), wide);
  }
}

TEST(ScalarMath, AnglesThatAreNoFloats) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> draw(-1, 1);
  for (int i = 0; i < 20000; ++i) {
    const double x = std::ldexp(draw(random), i % 60 - 22);
    expect_same(sin_of(x), std::sin(x), x);
    expect_same(cos_of(x), std::cos(x), x);
  }
}

TEST(ScalarMath, PowersOfFewFactorsAreExact) {
  for (const double x : {3.0, -7.0, 12345.678, 1e-3, -0.1}) {
    EXPECT_EQ(pow_of(x, 1), x);
    EXPECT_EQ(pow_of(x, 2), x * x);
    EXPECT_EQ(pow_of(x, 3), x * x * x);
    EXPECT_EQ(pow_of(x, -2), 1 / (x * x));
  }
  EXPECT_EQ(pow_of(2, 0.5), std::sqrt(2.0));
}

TEST(ScalarMath, Powers) {
  const double inf = HUGE_VAL;
  const double numbers[] = {0,   -0.0, 1,   -1, 2,  -2,  0.5, -0.5,
                            inf, -inf, NAN, 3,  -3, 1e9, 2.5, 1e-9};
  for (const double x : numbers)
    for (const double y : numbers) {
      SCOPED_TRACE(y);
      const double expected = std::pow(x, y);
      // Beyond the floats both are.
      if (std::fabs(expected) > 1e300 || (expected != 0 && std::fabs(expected) < 1e-300)) continue;
      expect_same(pow_of(x, y), expected, x);
    }
}

}  // namespace
}  // namespace subbyte
