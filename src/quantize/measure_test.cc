#include "quantize/measure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace subbyte {
namespace {

Tensor float_tensor(std::vector<std::int64_t> dims, const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return make_tensor(DType::float32, std::move(dims), std::move(bytes));
}

TEST(MeasureWeights, Range) {
  const auto measure = [](const std::vector<float>& values) {
    const auto n = static_cast<std::int64_t>(values.size());
    return measure_weights(float_tensor({1, n}, values));
  };
  const WeightRange range = measure({0, -3, 0.5f, 2});
  EXPECT_EQ(range.largest, 3);
  EXPECT_EQ(range.smallest_nonzero, 0.5f);
  EXPECT_TRUE(range.all_finite);
  EXPECT_EQ(measure({0, -0.0f}).smallest_nonzero, 0);
  const WeightRange infinite = measure({1, std::numeric_limits<float>::infinity()});
  EXPECT_FALSE(infinite.all_finite);
  EXPECT_EQ(infinite.largest, 1);
  EXPECT_FALSE(measure({NAN}).all_finite);
  EXPECT_TRUE(measure({}).all_finite);
  EXPECT_EQ(range.sum, -0.5);
  EXPECT_EQ(range.square_sum, 13.25);
}

TEST(MeasureWeights, ManyBlocks) {
  std::vector<float> values(900000);
  std::iota(values.begin(), values.end(), 1.0f);
  const Tensor tensor = float_tensor({3000, 300}, values);
  const WeightRange range = measure_weights(tensor, 3);
  EXPECT_EQ(range.largest, 900000);
  EXPECT_EQ(range.smallest_nonzero, 1);
  EXPECT_EQ(range.sum, measure_weights(tensor, 1).sum);
  EXPECT_EQ(range.square_sum, measure_weights(tensor, 1).square_sum);
}

// The blocks cover the bytes once each, and a sample is there when the last was measured.
TEST(WeightMeter, BlocksInAnyOrder) {
  constexpr std::int64_t kRows = 300, kColumns = 1000;
  std::vector<float> values(kRows * kColumns);
  std::iota(values.begin(), values.end(), 1.0f);
  const Tensor tensor = float_tensor({kRows, kColumns}, values);
  const AxisOrder columns{{1}, {0}};
  WeightMeter meter(tensor);
  meter.sample(columns);
  const std::byte* at = tensor.data.data();
  for (std::size_t b = 0; b < meter.blocks(); ++b) {
    EXPECT_EQ(meter.bytes_of(b).data(), at);
    at += meter.bytes_of(b).size();
  }
  EXPECT_EQ(at, tensor.data.data() + tensor.data.size());
  for (std::size_t b = meter.blocks(); b-- > 0;) meter.measure(b);
  EXPECT_EQ(meter.range().sum, measure_weights(tensor).sum);
  EXPECT_EQ(meter.range().largest, kRows * kColumns);
  EXPECT_EQ(meter.take_sample(), sample_rows(row_reader(tensor, columns), kColumns, kRows));
}

TEST(SampleRows, EvenlySpread) {
  const RowReader read = [](std::int64_t first, std::int64_t count, float* out) {
    std::fill_n(out, count * 4096, static_cast<float>(first));
  };
  const std::vector<float> sample = sample_rows(read, 10, 4096);
  ASSERT_EQ(sample.size(), 2u * 4096);
  EXPECT_EQ(sample[0], 0);
  EXPECT_EQ(sample[4096], 5);
  EXPECT_TRUE(sample_rows(read, 0, 4096).empty());
}

}  // namespace
}  // namespace subbyte
