#include "quantize/format.h"

#include <gtest/gtest.h>

#include <array>

namespace subbyte {
namespace {

using Parts = std::array<std::int64_t, 3>;

Parts parts(const Encoding& encoding, std::int64_t k) {
  const RowLayout row = row_layout(encoding, k);
  return {row.values, row.scales, row.zero_points};
}

TEST(RowLayout, Affine) {
  EXPECT_EQ(parts(AffineEncoding{.bits = 4, .zero_bits = 6, .zero_step = 0.25f}, 384),
            Parts({192, 24, 9}));
  EXPECT_EQ(parts(AffineEncoding{.bits = 3, .zero_bits = 5}, 384), Parts({144, 24, 8}));
  EXPECT_EQ(parts(AffineEncoding{.bits = 2, .zero_bits = 4}, 384), Parts({96, 24, 6}));
  EXPECT_EQ(parts(AffineEncoding{.bits = 8}, 384), Parts({384, 24, 0}));
}

TEST(RowLayout, TailGroupsEndWithTheirWord) {
  EXPECT_EQ(parts(AffineEncoding{.bits = 4, .zero_bits = 6}, 33), Parts({20, 4, 2}));
  EXPECT_EQ(parts(AffineEncoding{.bits = 3}, 1), Parts({4, 2, 0}));
  EXPECT_EQ(parts(AffineEncoding{.bits = 3}, 9), Parts({4, 2, 0}));
  EXPECT_EQ(parts(AffineEncoding{.bits = 3}, 11), Parts({8, 2, 0}));
  EXPECT_EQ(parts(AffineEncoding{.bits = 8, .group = 4}, 3), Parts({4, 2, 0}));
}

TEST(RowLayout, FloatsAndIntegers) {
  EXPECT_EQ(parts(FloatEncoding{32}, 5), Parts({20, 0, 0}));
  EXPECT_EQ(parts(FloatEncoding{16}, 5), Parts({12, 0, 0}));
  EXPECT_EQ(parts(FloatEncoding{16}, 4), Parts({8, 0, 0}));
  EXPECT_EQ(parts(IntegerEncoding{}, 3), Parts({12, 0, 0}));
}

TEST(RowLayout, SixtyFourBitSizes) {
  EXPECT_EQ(row_layout(FloatEncoding{32}, std::int64_t{1} << 33).values, std::int64_t{1} << 35);
}

}  // namespace
}  // namespace subbyte
