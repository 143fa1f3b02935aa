#include "quantize/tune/tuned_matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "calibrate/random.h"
#include "quantize/pack_weight.h"

namespace subbyte::tune {
namespace {

// A weight [k, n] of a MatMul, stored with its columns as rows.
constexpr std::int64_t kRows = 6, kDepth = 70;
const AxisOrder kOrder{.rows = {1}, .k = {0}};
const std::vector<std::int64_t> kDims{kDepth, kRows};

std::vector<float> weights() {
  Random random(1);
  std::vector<float> numbers(static_cast<std::size_t>(kRows * kDepth));
  for (float& x : numbers) x = random.normal();
  return numbers;
}

class Each : public testing::TestWithParam<int> {
 protected:
  std::vector<float> exact = weights();
  std::vector<AffineEncoding> encodings = affine_encodings(GetParam(), 3);
  calibrate::Machine machine{1};

  PackedMatrix packed(const AffineEncoding& encoding) const {
    return pack(exact, kRows, kDepth, encoding);
  }
  TunedMatrix tuned(const AffineEncoding& encoding, bool codes) const {
    return TunedMatrix(packed(encoding), source_layout(kOrder, kDims), kDims,
                       codes ? TunedMatrix::Form::codes : TunedMatrix::Form::numbers,
                       codes ? exact.data() : nullptr);
  }
  std::vector<float> numbers(const TunedMatrix& matrix) { return numbers(matrix.values(machine)); }
  void step(TunedMatrix& matrix, const std::vector<float>& gradient, const Rates& rates, int t) {
    matrix.add(gradient.data(), machine);
    matrix.step(rates, Correction::of(t), machine);
  }
  static std::vector<float> numbers(const Tensor& tensor) {
    const float* const from = calibrate::floats(tensor);
    return {from, from + tensor.elements()};
  }
};

TEST_P(Each, BeginsWithWhatIsStored) {
  for (const AffineEncoding& encoding : encodings) {
    const PackedMatrix start = packed(encoding);
    const TunedMatrix matrix = tuned(encoding, true);
    EXPECT_EQ(numbers(matrix), numbers(unpacked_tensor(start, kOrder, kDims)));
    const PackedMatrix end = matrix.packed(exact.data());
    EXPECT_EQ(end.values, start.values);
    EXPECT_EQ(end.scales, start.scales);
    EXPECT_EQ(end.zero_points, start.zero_points);
  }
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += static_cast<double>((a[i] - b[i]) * (a[i] - b[i]));
  return sum;
}

// Towards numbers of larger scales, and towards those of other codes; what kernels compute with is
// what was tuned.
TEST_P(Each, GoesDown) {
  for (const AffineEncoding& encoding : encodings) {
    for (const bool codes : {false, true}) {
      TunedMatrix matrix = tuned(encoding, codes);
      std::vector<float> target = numbers(matrix);
      if (codes) {
        Random random(2);
        fit::GridMatrix other(packed(encoding));
        const int most = (1 << encoding.bits) - 1;
        for (std::uint8_t& code : other.codes)
          code = static_cast<std::uint8_t>(
              std::clamp(static_cast<int>(code) + static_cast<int>(random.below(3)) - 1, 0, most));
        target = numbers(unpacked_tensor(other.packed(exact.data()), kOrder, kDims));
      } else {
        for (float& x : target) x *= 1.2f;
      }
      const double before = distance(numbers(matrix), target);
      const Rates rates = codes ? Rates{0, 0, 1e-2f, 0} : Rates{2e-3f, 0, 0, 0};
      for (int step = 1; step <= 150; ++step) {
        std::vector<float> gradient = numbers(matrix);
        for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] -= target[i];
        this->step(matrix, gradient, rates, step);
      }
      EXPECT_LT(distance(numbers(matrix), target), 0.3 * before) << codes;
      EXPECT_EQ(numbers(unpacked_tensor(matrix.packed(exact.data()), kOrder, kDims)),
                numbers(matrix));
    }
  }
}

TEST_P(Each, LeavesCodesWhereItIsToldTo) {
  for (const AffineEncoding& encoding : encodings) {
    TunedMatrix matrix = tuned(encoding, false);
    const std::vector<float> gradient = numbers(matrix);
    for (int step = 1; step <= 40; ++step)
      this->step(matrix, gradient, {5e-3f, 2e-2f, 2e-2f, 0}, step);
    const PackedMatrix end = matrix.packed(exact.data());
    EXPECT_EQ(end.values, packed(encoding).values);
    EXPECT_NE(end.scales, packed(encoding).scales);
  }
}

TEST_P(Each, WhatIsNotSeenStays) {
  const AffineEncoding& encoding = encodings.front();
  TunedMatrix matrix = tuned(encoding, true);
  const std::vector<float> before = numbers(matrix);
  std::vector<float> gradient(before.size(), 0.0f);
  for (std::int64_t k = 0; k < kDepth; ++k) gradient[static_cast<std::size_t>(k * kRows)] = 1;
  for (int step = 1; step <= 20; ++step)
    this->step(matrix, gradient, {1e-2f, 1e-1f, 1e-1f, 0}, step);
  const std::vector<float> after = numbers(matrix);
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (i % kRows == 0) continue;
    EXPECT_EQ(after[i], before[i]);
  }
  EXPECT_NE(after, before);
}

// However it is held, the same steps give the same bytes.
TEST_P(Each, IsTheSamePacked) {
  for (const AffineEncoding& encoding : encodings) {
    TunedMatrix held = tuned(encoding, false);
    TunedMatrix lean(packed(encoding), source_layout(kOrder, kDims), kDims,
                     TunedMatrix::Form::packed);
    const std::vector<float> gradient = numbers(held);
    for (int step = 1; step <= 20; ++step)
      for (TunedMatrix* const matrix : {&held, &lean})
        this->step(*matrix, gradient, {5e-3f, 2e-2f, 0, 0}, step);
    EXPECT_EQ(numbers(held), numbers(lean));
    const PackedMatrix a = held.packed(exact.data()), b = lean.packed(exact.data());
    EXPECT_EQ(a.values, b.values);
    EXPECT_EQ(a.scales, b.scales);
    EXPECT_EQ(a.zero_points, b.zero_points);
    EXPECT_NE(a.scales, packed(encoding).scales);
  }
}

INSTANTIATE_TEST_SUITE_P(Bits, Each, testing::Values(2, 3, 4));

}  // namespace
}  // namespace subbyte::tune
