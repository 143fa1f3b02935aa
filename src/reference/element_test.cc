#include "reference/element.h"

#include <gtest/gtest.h>

namespace subbyte::reference {
namespace {

TEST(Element, EveryHalfAndBFloat16SurvivesTheWayThroughDouble) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const Half half{static_cast<std::uint16_t>(bits)};
    const BFloat16 brain{static_cast<std::uint16_t>(bits)};
    if (!std::isnan(widen(half))) {
      EXPECT_EQ(to_half(widen(half)).bits, bits);
    }
    if (!std::isnan(widen(brain))) {
      EXPECT_EQ(to_bfloat16(widen(brain)).bits, bits);
    }
  }
}

TEST(Element, HalvesRoundHalfToEven) {
  EXPECT_EQ(to_half(2049).bits, to_half(2048).bits);
  EXPECT_EQ(to_half(2051).bits, to_half(2052).bits);
  // Just above the midpoint: a step by way of float would lose the last bit and round to even.
  EXPECT_EQ(to_half(2049.0000001).bits, to_half(2050).bits);
  EXPECT_EQ(to_half(65519).bits, 0x7bff);
  EXPECT_EQ(to_half(65520).bits, 0x7c00);
  EXPECT_EQ(to_half(-1e300).bits, 0xfc00);
  EXPECT_EQ(to_half(0x1p-25).bits, 0);
  EXPECT_EQ(to_half(0x1.8p-25).bits, 1);
  EXPECT_EQ(to_half(-0x1p-300).bits, 0x8000);
  EXPECT_EQ(to_half(std::nan("")).bits, 0x7e00);
  EXPECT_EQ(to_half(0x1.ffcp-15).bits, 0x0400) << "rounds up from the subnormals";
  EXPECT_EQ(to_bfloat16(1 + 0x1p-8).bits, 0x3f80);
  EXPECT_EQ(to_bfloat16(1 + 0x1.8p-7).bits, 0x3f82);
  EXPECT_EQ(to_bfloat16(3.4e38).bits, 0x7f80);
}

TEST(Element, FloatToIntegerTruncatesAndSaturates) {
  EXPECT_EQ(saturate<std::int8_t>(-1.9), -1);
  EXPECT_EQ(saturate<std::int8_t>(200), 127);
  EXPECT_EQ(saturate<std::uint8_t>(-3), 0);
  EXPECT_EQ(saturate<std::int64_t>(1e30), INT64_MAX);
  EXPECT_EQ(saturate<std::int64_t>(-1e30), INT64_MIN);
  EXPECT_EQ(saturate<std::uint64_t>(0x1p63), std::uint64_t{1} << 63);
  EXPECT_EQ(saturate<std::int32_t>(std::nan("")), 0);
}

}  // namespace
}  // namespace subbyte::reference
