#include "quantize/rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <span>

namespace subbyte {
namespace {

Tensor float_tensor(std::vector<std::int64_t> dims, const std::vector<float>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return make_tensor(DType::float32, std::move(dims), {bytes.begin(), bytes.end()});
}

Tensor counting_tensor(std::vector<std::int64_t> dims) {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  std::vector<float> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0.0f);
  return float_tensor(std::move(dims), values);
}

// The definition: element by element, by dividing positions into coordinates.
std::vector<float> gathered(const std::vector<std::int64_t>& dims, const AxisOrder& order) {
  const MatrixSize size = matrix_size(dims, order);
  std::vector<float> out;
  const auto coordinates = [&](std::int64_t position, const std::vector<int>& axes,
                               std::vector<std::int64_t>& at) {
    for (std::size_t i = axes.size(); i-- > 0;) {
      const auto axis = static_cast<std::size_t>(axes[i]);
      at[axis] = position % dims[axis];
      position /= dims[axis];
    }
  };
  for (std::int64_t r = 0; r < size.rows; ++r) {
    for (std::int64_t c = 0; c < size.k; ++c) {
      std::vector<std::int64_t> at(dims.size());
      coordinates(r, order.rows, at);
      coordinates(c, order.k, at);
      std::int64_t offset = 0;
      for (std::size_t i = 0; i < dims.size(); ++i) offset = offset * dims[i] + at[i];
      out.push_back(static_cast<float>(offset));
    }
  }
  return out;
}

TEST(RowReader, EveryOrder) {
  const std::vector<std::pair<std::vector<std::int64_t>, AxisOrder>> cases = {
      {{5, 7}, {{0}, {1}}},
      {{5, 7}, {{1}, {0}}},
      {{37, 150}, {{1}, {0}}},
      {{3, 4, 5}, {{0, 2}, {1}}},
      {{3, 4, 70}, {{0, 2}, {1}}},
      {{3, 4, 5}, {{2, 0}, {1}}},
      {{3, 4, 5}, {{1}, {2, 0}}},
      {{3, 4, 5}, {{2}, {1, 0}}},
      {{6, 4, 3, 3}, {{0}, {1, 2, 3}}},
      {{6, 4, 3, 3}, {{0}, {2, 3, 1}}},
      {{6, 4, 3, 3}, {{1}, {0, 2, 3}}},
      {{1, 7, 1}, {{0}, {2, 1}}},
      {{7}, {{}, {0}}},
      {{7}, {{0}, {}}},
      {{}, {{}, {}}},
  };
  for (const auto& [dims, order] : cases) {
    ASSERT_TRUE(is_axis_order(order, dims.size()));
    const MatrixSize size = matrix_size(dims, order);
    const std::vector<float> expected = gathered(dims, order);
    const RowReader read = row_reader(counting_tensor(dims), order);
    for (const std::int64_t step : {std::int64_t{1}, std::int64_t{3}, size.rows}) {
      std::vector<float> out(expected.size(), -1);
      for (std::int64_t r = 0; r < size.rows; r += step) {
        read(r, std::min(step, size.rows - r), out.data() + r * size.k);
      }
      EXPECT_EQ(out, expected) << testing::PrintToString(dims) << " by " << step;
    }
  }
}

TEST(RowReader, AxisOrders) {
  EXPECT_TRUE(is_axis_order({{1}, {0}}, 2));
  EXPECT_FALSE(is_axis_order({{1}, {}}, 2));
  EXPECT_FALSE(is_axis_order({{1}, {1}}, 2));
  EXPECT_FALSE(is_axis_order({{0}, {2}}, 2));
  EXPECT_FALSE(is_axis_order({{-1}, {0}}, 2));
}

TEST(RowsInMemory, OnlyWhereTheyLieSo) {
  std::vector<std::byte> bytes(24 * sizeof(float));
  const Tensor tensor = make_tensor(DType::float32, {2, 3, 4}, bytes);
  const auto rows = rows_in_memory(tensor, {{0}, {1, 2}});
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->size(), 24u);
  EXPECT_EQ(static_cast<const void*>(rows->data()), static_cast<const void*>(tensor.data.data()));
  EXPECT_TRUE(rows_in_memory(tensor, {{}, {0, 1, 2}}));
  EXPECT_FALSE(rows_in_memory(tensor, {{1}, {0, 2}}));
  EXPECT_FALSE(rows_in_memory(tensor, {{0}, {2, 1}}));
  // An axis of one element may stand anywhere.
  const Tensor thin = make_tensor(DType::float32, {6, 1, 4}, bytes);
  EXPECT_TRUE(rows_in_memory(thin, {{0}, {2, 1}}));
  EXPECT_FALSE(rows_in_memory(make_tensor(DType::float16, {48}, bytes), {{}, {0}}));
}

}  // namespace
}  // namespace subbyte
