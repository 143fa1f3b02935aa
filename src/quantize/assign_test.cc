#include "quantize/assign.h"

#include <gtest/gtest.h>

namespace subbyte {
namespace {

WeightUse use(WeightUseKind kind, std::int64_t rows, std::int64_t k, float largest = 1) {
  return {.rows = rows,
          .k = k,
          .kind = kind,
          .range = {.largest = largest, .smallest_nonzero = largest / 1000}};
}

TEST(Assign, MatricesGetTheBitsAsked) {
  const std::vector<WeightUse> uses = {
      use(WeightUseKind::matmul, 384, 384), use(WeightUseKind::gemm, 384, 128),
      use(WeightUseKind::embedding, 1000, 384), use(WeightUseKind::scale, 1, 384)};
  const auto four = assign_encodings(uses, Precision::bits4);
  ASSERT_EQ(four.size(), 4u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(value_bits(four[i].encoding), 4);
    EXPECT_EQ(four[i].reason, "");
  }
  EXPECT_EQ(four[3].encoding, Encoding(FloatEncoding{32}));
  EXPECT_EQ(four[3].reason, "it is no matrix");
  EXPECT_GT(share_within(uses, four, 4), 0.99);
  EXPECT_EQ(share_within(uses, four, 3), 0);
  EXPECT_EQ(share_within({}, {}, 4), 1);
}

TEST(Assign, Float16) {
  std::vector<WeightUse> uses = {
      use(WeightUseKind::matmul, 4, 4),        use(WeightUseKind::scale, 1, 4),
      use(WeightUseKind::matmul, 4, 4, 70000), use(WeightUseKind::scale, 1, 1, 1e-12f),
      use(WeightUseKind::scale, 1, 4),         use(WeightUseKind::matmul, 4, 4)};
  uses[4].range.smallest_nonzero = 1e-9f;
  uses[5].range.smallest_nonzero = 1e-9f;
  const auto assigned = assign_encodings(uses, Precision::float16);
  EXPECT_EQ(assigned[0].encoding, Encoding(FloatEncoding{16}));
  EXPECT_EQ(assigned[1].encoding, Encoding(FloatEncoding{16}));
  EXPECT_EQ(assigned[2].encoding, Encoding(FloatEncoding{32}));
  EXPECT_EQ(assigned[2].reason, "its largest magnitude, 70000, is outside the range of float16");
  EXPECT_EQ(assigned[3].reason, "its largest magnitude, 1e-12, is outside the range of float16");
  EXPECT_EQ(assigned[4].reason,
            "its smallest magnitude, 1e-09, is below the normal range of float16");
  EXPECT_EQ(assigned[5].encoding, Encoding(FloatEncoding{16}));
}

TEST(Assign, WhatIsNoMatrixIsNarrowedWhereItFits) {
  std::vector<WeightUse> uses = {use(WeightUseKind::matmul, 4, 4, 3e38f),
                                 use(WeightUseKind::scale, 1, 4), use(WeightUseKind::operand, 1, 4),
                                 use(WeightUseKind::operand, 1, 4, 1e-2f),
                                 use(WeightUseKind::scale, 1, 4, 70000)};
  uses[2].range.smallest_nonzero = 1e-9f;
  uses[3].range.smallest_nonzero = 1e-9f;
  auto assigned = assign_encodings(uses, Precision::bits4);
  narrow_others(uses, assigned);
  std::vector<int> bits;
  for (const Assignment& a : assigned) bits.push_back(value_bits(a.encoding));
  EXPECT_EQ(bits, std::vector<int>({32, 16, 16, 16, 32}));
  EXPECT_EQ(assigned[1].reason, "it is no matrix");
}

TEST(Assign, WhatIsNoTrainedOperandStaysFloat32) {
  const std::vector<WeightUse> uses = {use(WeightUseKind::other, 1, 4)};
  for (const Precision precision : {Precision::float16, Precision::bits8, Precision::bits2}) {
    auto assigned = assign_encodings(uses, precision);
    narrow_others(uses, assigned);
    EXPECT_EQ(assigned[0].encoding, Encoding(FloatEncoding{32}));
    EXPECT_EQ(assigned[0].reason, "it is no trained operand");
  }
}

TEST(Assign, ABiasIsNarrowedWithinWhatItIsAddedTo) {
  std::vector<WeightUse> uses(3, use(WeightUseKind::bias, 1, 4, 10));
  uses[0].beside = 1;
  uses[1].beside = 0.1;
  uses[2].beside = 0.01;
  auto four = assign_encodings(uses, Precision::bits4);
  narrow_others(uses, four);
  const auto sixteen = assign_encodings(uses, Precision::float16);
  std::vector<int> bits;
  for (const auto* all : {&sixteen, static_cast<const std::vector<Assignment>*>(&four)}) {
    for (const Assignment& a : *all) bits.push_back(value_bits(a.encoding));
  }
  EXPECT_EQ(bits, std::vector<int>({16, 32, 32, 16, 16, 32}));
  EXPECT_EQ(four[2].reason,
            "its largest magnitude, 10, is large beside what it is added to, about 0.01");
}

TEST(Assign, WhatCannotBeQuantizedStaysWide) {
  std::vector<WeightUse> uses = {use(WeightUseKind::matmul, 4, 4),
                                 use(WeightUseKind::matmul, 4, 4, 3e38f)};
  uses[0].range.all_finite = false;
  const auto assigned = assign_encodings(uses, Precision::bits8);
  EXPECT_EQ(assigned[0].encoding, Encoding(FloatEncoding{32}));
  EXPECT_EQ(assigned[0].reason, "it has values that are infinite or not a number");
  EXPECT_EQ(assigned[1].encoding, Encoding(FloatEncoding{32}));
  EXPECT_EQ(assigned[1].reason,
            "its largest magnitude, 3e+38, is outside the range of quantized values");
  EXPECT_EQ(assign_encodings(uses, Precision::float16)[0].reason,
            "it has values that are infinite or not a number");
  for (const Assignment& kept : assign_encodings(uses, Precision::float32)) {
    EXPECT_EQ(kept.encoding, Encoding(FloatEncoding{32}));
    EXPECT_EQ(kept.reason, "");
  }
}

TEST(Precision, Names) {
  EXPECT_EQ(precision_from_name("int8"), Precision::bits8);
  EXPECT_EQ(precision_from_name("3bit"), Precision::bits3);
  EXPECT_EQ(precision_from_name("5bit"), std::nullopt);
  EXPECT_EQ(bits_of(Precision::bits3), 3);
  EXPECT_EQ(component_name(Component::feed_forward), "feed_forward");
}

}  // namespace
}  // namespace subbyte
