#include "quantize/choose_encoding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "quantize/codec.h"
#include "quantize/measure.h"

namespace subbyte {
namespace {

using Matrix = std::vector<float>;

Matrix gaussian(std::size_t count) {
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal(0, 0.05f);
  Matrix values(count);
  for (float& value : values) value = normal(random);
  return values;
}

AffineEncoding chosen(const Matrix& matrix, int bits, std::int64_t k) {
  const RowReader read = [&](std::int64_t first, std::int64_t count, float* out) {
    std::copy_n(matrix.data() + first * k, count * k, out);
  };
  const auto rows = static_cast<std::int64_t>(matrix.size()) / k;
  return choose_encoding(bits, sample_rows(read, rows, k), k, 0.3f);
}

double bits_a_value(const AffineEncoding& encoding, std::int64_t k) {
  const RowLayout row = row_layout(encoding, k);
  return 8.0 * static_cast<double>(row.values + row.scales + row.zero_points) /
         static_cast<double>(k);
}

TEST(ChooseEncoding, TheFinestThatFitsWholeGroups) {
  const Matrix matrix = gaussian(64 * 384);
  EXPECT_EQ(chosen(matrix, 4, 384).zero_bits, 6);
  EXPECT_EQ(chosen(matrix, 3, 384).zero_bits, 5);
  EXPECT_EQ(chosen(matrix, 2, 384).zero_bits, 4);
  EXPECT_EQ(chosen(matrix, 8, 384).zero_bits, 0);
  for (const int bits : {8, 4, 3, 2}) EXPECT_EQ(chosen(matrix, bits, 384).group, 32) << bits;
}

// At k = 120 the budget has no room for zero points in groups of 32 at 3 bits; in groups of 64 it
// has, and they lose less.
TEST(ChooseEncoding, LargerGroupsWhereTheyPayForZeroPoints) {
  const Matrix matrix = gaussian(64 * 120);
  const AffineEncoding three = chosen(matrix, 3, 120);
  EXPECT_EQ(three.group, 64);
  EXPECT_GT(three.zero_bits, 0);
}

TEST(ChooseEncoding, NoChoiceLosesLessWithinTheBudget) {
  for (const std::int64_t k : {48, 96, 120, 240, 360, 480}) {
    const Matrix matrix = gaussian(static_cast<std::size_t>(40 * k));
    for (const int bits : {4, 3, 2}) {
      const AffineEncoding best = chosen(matrix, bits, k);
      const double noise = pack(matrix, 40, k, best).distortion.noise;
      for (const AffineEncoding& other : encoding_choices(bits, k, 0.3f)) {
        EXPECT_LE(noise, 1.02 * pack(matrix, 40, k, other).distortion.noise) << bits << " " << k;
        if (encoding_choices(bits, k, 0.3f).size() > 1) {
          EXPECT_LE(bits_a_value(other, k), bits + 0.7) << bits << " " << k;
        }
      }
    }
  }
}

// As the table of docs/sizes.md has it.
TEST(ScaleSearch, ByWidthAndReader) {
  for (const WeightUseKind kind :
       {WeightUseKind::matmul, WeightUseKind::conv, WeightUseKind::embedding}) {
    EXPECT_EQ(scale_search(8, kind), ScaleSearch::none);
  }
  for (const int bits : {4, 3, 2}) {
    EXPECT_EQ(scale_search(bits, WeightUseKind::conv), ScaleSearch::large_first);
    EXPECT_EQ(scale_search(bits, WeightUseKind::gemm), ScaleSearch::least_squares);
  }
}

TEST(ChooseEncoding, ShortRowsHaveOneChoice) {
  for (const std::int64_t k : {1, 9, 25}) {
    const Matrix matrix = gaussian(static_cast<std::size_t>(16 * k));
    EXPECT_EQ(encoding_choices(3, k, 0.3f).size(), 1u);
    EXPECT_EQ(chosen(matrix, 3, k).zero_bits, 0);
  }
}

}  // namespace
}  // namespace subbyte
