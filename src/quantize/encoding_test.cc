#include "quantize/encoding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace subbyte {
namespace {

double bits_per_weight(const AffineEncoding& encoding, std::int64_t k) {
  const RowLayout row = row_layout(encoding, k);
  return 8.0 * static_cast<double>(row.values + row.scales + row.zero_points) /
         static_cast<double>(k);
}

TEST(AffineEncoding, FinestZeroPointsThatFit) {
  const auto zero_bits = [](int bits, std::int64_t k) {
    return affine_encoding(bits, k, 1).zero_bits;
  };
  EXPECT_EQ(zero_bits(8, 384), 0);
  EXPECT_EQ(zero_bits(4, 384), 6);
  EXPECT_EQ(zero_bits(3, 384), 5);
  EXPECT_EQ(zero_bits(2, 384), 4);
  EXPECT_EQ(zero_bits(4, 128), 6);
  EXPECT_EQ(zero_bits(4, 192), 5);  // 36 bits of zero points would take 5 bytes
  EXPECT_EQ(zero_bits(4, 64), 4);
  EXPECT_EQ(zero_bits(4, 32), 0);
  EXPECT_EQ(affine_encoding(4, 384, 1).zero_step, 0.25f);
  EXPECT_EQ(affine_encoding(4, 32, 1).zero_default, 7.5f);
}

TEST(AffineEncoding, BudgetsHoldForWholeGroups) {
  for (std::int64_t k = 32; k < 5000; k += 32) {
    EXPECT_LE(bits_per_weight(affine_encoding(8, k, 1), k), 8.8) << k;
    EXPECT_LE(bits_per_weight(affine_encoding(4, k, 1), k), 4.7) << k;
    EXPECT_LE(bits_per_weight(affine_encoding(3, k, 1), k), 3.7) << k;
    EXPECT_LE(bits_per_weight(affine_encoding(2, k, 1), k), 2.7) << k;
  }
}

// What a depthwise kernel of 3x3 or 5x5 takes for each channel.
TEST(AffineEncoding, ShortRowsAreOneTail) {
  const auto bytes = [](int bits, std::int64_t k) {
    const AffineEncoding encoding = affine_encoding(bits, k, 1);
    EXPECT_EQ(groups_in_row(encoding, k), 1);
    const RowLayout row = row_layout(encoding, k);
    EXPECT_EQ(row.scales, 2);
    EXPECT_EQ(row.zero_points, 0);
    return row.values;
  };
  EXPECT_EQ(bytes(8, 9), 12);
  EXPECT_EQ(bytes(4, 9), 8);
  EXPECT_EQ(bytes(3, 9), 4);
  EXPECT_EQ(bytes(2, 9), 4);
  EXPECT_EQ(bytes(8, 25), 28);
  EXPECT_EQ(bytes(4, 25), 16);
  EXPECT_EQ(bytes(3, 25), 12);
  EXPECT_EQ(bytes(2, 25), 8);
}

TEST(AffineEncoding, ScaleExponentLeavesRoom) {
  EXPECT_EQ(affine_encoding(4, 64, 1.0f).scale_exponent, -14);
  EXPECT_EQ(affine_encoding(4, 64, 1.99f).scale_exponent, -14);
  EXPECT_EQ(affine_encoding(4, 64, 2.0f).scale_exponent, -13);
  EXPECT_EQ(affine_encoding(4, 64, 0.0f).scale_exponent, -126);
  EXPECT_EQ(affine_encoding(4, 64, std::numeric_limits<float>::denorm_min()).scale_exponent, -126);
  EXPECT_EQ(affine_encoding(4, 64, std::numeric_limits<float>::max()).scale_exponent, 113);
}

TEST(Fits, Ranges) {
  EXPECT_TRUE(fits_float16(0));
  EXPECT_TRUE(fits_float16(65504));
  EXPECT_TRUE(fits_float16(std::nextafter(65520.0f, 0.0f)));
  EXPECT_FALSE(fits_float16(65520));
  EXPECT_FALSE(fits_float16(1e-6f));
  EXPECT_TRUE(fits_affine(0));
  EXPECT_TRUE(fits_affine(1e-20f));
  EXPECT_FALSE(fits_affine(1e-40f));
  EXPECT_FALSE(fits_affine(3e38f));
}

}  // namespace
}  // namespace subbyte
