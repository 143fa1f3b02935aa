#include "graph/narrow_float.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace subbyte {
namespace {

constexpr DType kTargets[] = {DType::float8e4m3fn, DType::float8e4m3fnuz, DType::float8e5m2,
                              DType::float8e5m2fnuz, DType::float4e2m1};
constexpr float kInfinity = std::numeric_limits<float>::infinity();

float rounded(DType dtype, float value, bool saturate = true) {
  return narrow_to_float(dtype, float_to_narrow(dtype, value, saturate));
}

TEST(NarrowFloat, EveryValueIsItsOwn) {
  for (const DType dtype : kTargets) {
    const unsigned codes = dtype == DType::float4e2m1 ? 16 : 256;
    for (unsigned code = 0; code < codes; ++code) {
      const float value = narrow_to_float(dtype, static_cast<std::uint8_t>(code));
      const std::uint8_t back = float_to_narrow(dtype, value, false);
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(narrow_to_float(dtype, back))) << dtype_name(dtype) << code;
      } else {
        EXPECT_EQ(back, code) << dtype_name(dtype) << " " << code << " " << value;
      }
    }
  }
}

// Between two neighbours the nearer one, and in the middle the one whose code is even.
TEST(NarrowFloat, RoundsToTheNearestTiesToEven) {
  for (const DType dtype : kTargets) {
    const unsigned last = float_to_narrow(dtype, kInfinity, true);
    for (unsigned code = 0; code < last; ++code) {
      const float low = narrow_to_float(dtype, static_cast<std::uint8_t>(code));
      const float high = narrow_to_float(dtype, static_cast<std::uint8_t>(code + 1));
      const float middle = (low + high) / 2;
      EXPECT_EQ(rounded(dtype, middle), code % 2 == 0 ? low : high) << dtype_name(dtype) << code;
      EXPECT_EQ(rounded(dtype, std::nextafter(middle, 0.0f)), low);
      EXPECT_EQ(rounded(dtype, std::nextafter(middle, kInfinity)), high);
      EXPECT_EQ(rounded(dtype, -std::nextafter(middle, kInfinity)), -high);
    }
  }
}

TEST(NarrowFloat, WhatIsTooLargeIsTheLargestOrNone) {
  EXPECT_EQ(rounded(DType::float8e4m3fn, 1e6f), 448);
  EXPECT_EQ(rounded(DType::float8e4m3fn, -kInfinity), -448);
  EXPECT_EQ(rounded(DType::float8e4m3fn, 464, false), 448);
  EXPECT_TRUE(std::isnan(rounded(DType::float8e4m3fn, 465, false)));
  EXPECT_TRUE(std::isnan(rounded(DType::float8e4m3fn, kInfinity, false)));
  EXPECT_EQ(rounded(DType::float8e5m2, kInfinity), 57344);
  EXPECT_EQ(rounded(DType::float8e5m2, 1e9f, false), kInfinity);
  EXPECT_EQ(rounded(DType::float8e5m2, -kInfinity, false), -kInfinity);
  EXPECT_TRUE(std::isnan(rounded(DType::float8e5m2fnuz, kInfinity, false)));
  EXPECT_EQ(rounded(DType::float4e2m1, 9, false), 6);
}

TEST(NarrowFloat, HasNaNAndZerosAsItsTypeSays) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const DType dtype : kTargets) {
    const bool has_nan = dtype != DType::float4e2m1;
    EXPECT_EQ(std::isnan(rounded(dtype, nan)), has_nan) << dtype_name(dtype);
    const bool signed_0 = dtype != DType::float8e4m3fnuz && dtype != DType::float8e5m2fnuz;
    EXPECT_EQ(std::signbit(rounded(dtype, -0.0f)), signed_0) << dtype_name(dtype);
    EXPECT_EQ(std::signbit(rounded(dtype, -1e-9f)), signed_0) << dtype_name(dtype);
  }
  EXPECT_EQ(narrow_to_float(DType::float8e8m0, 128), 2);
  EXPECT_TRUE(std::isnan(narrow_to_float(DType::float8e8m0, 255)));
}

}  // namespace
}  // namespace subbyte
