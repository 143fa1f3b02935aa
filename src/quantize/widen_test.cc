#include "quantize/widen.h"

#include <gtest/gtest.h>

namespace subbyte {
namespace {

WeightUse matrix(std::int64_t rows, std::int64_t k) {
  return {.rows = rows,
          .k = k,
          .kind = WeightUseKind::conv,
          .range = {.largest = 1, .smallest_nonzero = 0.1f}};
}

std::vector<Assignment> widened(const std::vector<WeightUse>& uses, Precision precision,
                                std::vector<bool> may_widen = {}) {
  auto assignments = assign_encodings(uses, precision);
  may_widen.resize(uses.size(), true);
  widen_smallest(uses, precision, may_widen, assignments);
  return assignments;
}

std::vector<int> bits(const std::vector<Assignment>& assignments) {
  std::vector<int> all;
  for (const Assignment& a : assignments) all.push_back(value_bits(a.encoding));
  return all;
}

TEST(Widen, TheSmallestUpToFourPercent) {
  // 100'000 parameters in all: 500, 2000 and 1500 are 4 %, and 1600 more would be too many.
  const std::vector<WeightUse> uses = {matrix(900, 100), matrix(5, 100),  matrix(20, 100),
                                       matrix(15, 100),  matrix(16, 100), matrix(44, 100)};
  const auto four = widened(uses, Precision::bits4);
  EXPECT_EQ(bits(four), std::vector<int>({4, 8, 4, 8, 8, 4}));
  EXPECT_EQ(four[0].reason, "");
  EXPECT_EQ(four[1].reason,
            "it is one of the smallest weights, which cost little at 8 bits and lose most at 4");
  EXPECT_GE(share_within(uses, four, 4), 0.95);
}

TEST(Widen, ThePromiseComesFirst) {
  // A tensor of 4 % that cannot be quantized leaves 1 %.
  std::vector<WeightUse> uses = {matrix(940, 100), matrix(40, 100), matrix(8, 100),
                                 matrix(12, 100)};
  uses[1].range.all_finite = false;
  EXPECT_EQ(bits(widened(uses, Precision::bits2)), std::vector<int>({2, 32, 8, 2}));
  uses[1] = matrix(100, 100);
  uses[1].range.all_finite = false;
  EXPECT_EQ(bits(widened(uses, Precision::bits2)), std::vector<int>({2, 32, 2, 2}));
}

TEST(Widen, OnlyWhatNoRuleNames) {
  const std::vector<WeightUse> uses = {matrix(980, 100), matrix(9, 100), matrix(11, 100)};
  EXPECT_EQ(bits(widened(uses, Precision::bits4, {true, false, true})),
            std::vector<int>({4, 4, 8}));
}

TEST(Widen, NothingIsWiderThanEightBitsUnlessItIsSmaller) {
  EXPECT_EQ(bits(widened({matrix(980, 100), matrix(9, 100)}, Precision::bits8)),
            std::vector<int>({8, 8}));
  const auto eight = widened({matrix(980, 100), matrix(900, 2)}, Precision::bits8);
  EXPECT_EQ(bits(eight), std::vector<int>({8, 16}));
  EXPECT_EQ(eight[1].reason,
            "with 2 values a row it takes no more bytes as float16 than at 8 bits");
  EXPECT_EQ(bits(widened({matrix(980, 100), matrix(900, 2)}, Precision::bits3)),
            std::vector<int>({3, 16}));
  EXPECT_EQ(bits(widened({matrix(4, 4)}, Precision::float16)), std::vector<int>({16}));
  EXPECT_EQ(bits(widened({}, Precision::bits4)), std::vector<int>());
}

// 8 bits cost a 3x3 depthwise kernel 14 bytes, 2 bits 6: the bytes may run out before the 4 % do.
TEST(Widen, TheBytesHaveALimitToo) {
  const auto above = [](const std::vector<WeightUse>& uses, double& more) {
    const auto two = widened(uses, Precision::bits2);
    double all = 0, total = 0;
    more = 0;
    for (std::size_t i = 0; i < uses.size(); ++i) {
      all += static_cast<double>(uses[i].parameters());
      const RowLayout row = row_layout(two[i].encoding, uses[i].k);
      total +=
          8.0 * static_cast<double>(uses[i].rows * (row.values + row.scales + row.zero_points));
      if (value_bits(two[i].encoding) == 8) more += static_cast<double>(uses[i].rows) * 8 * 8;
    }
    more /= all;
    EXPECT_EQ(value_bits(two[1].encoding), 8);
    EXPECT_EQ(value_bits(two.back().encoding), 2);
    return total / all - 2;
  };
  std::vector<WeightUse> uses = {matrix(8000, 120)};
  for (int i = 0; i < 40; ++i) uses.push_back(matrix(100 + i, 9));
  double more = 0;
  const double model = above(uses, more);
  EXPECT_LE(model, kMostBitsAbove);
  EXPECT_GE(model, kMostBitsAbove - 0.02);
  // Rows of 10 take 4.8 bits a value as it is.
  uses[0] = matrix(96000, 10);
  EXPECT_GE(above(uses, more), kMostBitsAbove);
  EXPECT_LE(more, kMostWideBits);
  EXPECT_GT(more, kMostWideBits - 0.02);
}

}  // namespace
}  // namespace subbyte
