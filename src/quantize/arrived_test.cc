#include "quantize/arrived.h"

#include <gtest/gtest.h>

#include <cstring>

#include "graph/grid.h"
#include "quantize/rows.h"

namespace subbyte {
namespace {

// Codes 0, 1, 2, ... modulo 2^bits of shape [rows, cols], less `offset`.
Tensor codes(int bits, std::int64_t rows, std::int64_t cols, int offset = 0) {
  std::vector<std::byte> bytes;
  for (std::int64_t i = 0; i < rows * cols; ++i)
    bytes.push_back(static_cast<std::byte>(i * 7 % (1 << bits) - offset));
  return make_tensor(offset == 0 ? DType::uint8 : DType::int8, {rows, cols}, std::move(bytes));
}

Tensor floats_of(CodeGrid grid) {
  std::vector<float> values(static_cast<std::size_t>(grid.codes.elements()));
  read_grid(grid, 0, grid.codes.elements(), values.data());
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  Tensor tensor = make_tensor(DType::float32, grid.codes.dims, std::move(bytes));
  tensor.grid = std::make_shared<const CodeGrid>(std::move(grid));
  return tensor;
}

// `count` numbers from `first` on in steps of `step`.
GridLevels levels(std::vector<std::int64_t> dims, std::vector<std::int64_t> block, float first,
                  float step) {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  GridLevels result{{}, std::move(dims), std::move(block)};
  for (std::int64_t i = 0; i < count; ++i)
    result.values.push_back(first + step * static_cast<float>(i));
  return result;
}

// Every number of the tensor, as the packed matrix has it.
void expect_same(const Tensor& tensor, const AxisOrder& order, const Encoding& encoding) {
  const MatrixSize size = matrix_size(tensor.dims, order);
  const StoredWeight stored{.value = 0,
                            .encoding = encoding,
                            .rows = size.rows,
                            .k = size.k,
                            .order = order,
                            .layout = row_layout(encoding, size.k),
                            .source = CodesOfGrid{}};
  const PackedMatrix packed = pack_arrived(tensor, stored);
  std::vector<float> found(static_cast<std::size_t>(size.rows * size.k)), wanted(found.size());
  unpack(packed, 0, size.rows, found.data());
  row_reader(tensor, order)(0, size.rows, wanted.data());
  EXPECT_EQ(found, wanted);
}

TEST(Arrived, BlocksAlongTheRow) {
  CodeGrid grid{.codes = codes(4, 3, 80),
                .scales = levels({3, 5}, {1, 16}, 0.1f, 0.037f),
                .zeros = levels({3, 5}, {1, 16}, 0, 1)};
  const Tensor tensor = floats_of(std::move(grid));
  const AxisOrder order{{0}, {1}};
  const auto encoding = arrived_encoding(tensor, order);
  ASSERT_TRUE(encoding) << encoding.error().message;
  const auto& affine = std::get<AffineEncoding>(*encoding);
  EXPECT_EQ(affine.bits, 4);
  EXPECT_EQ(affine.group, 16);
  EXPECT_EQ(affine.scale_bits, 32);
  EXPECT_EQ(affine.zero_bits, 4);
  expect_same(tensor, order, *encoding);
}

TEST(Arrived, OneScaleForEachColumnIsOneForEachRowOfTheMatrix) {
  CodeGrid grid{.codes = codes(8, 40, 6, 100),
                .scales = levels({1, 6}, {40, 1}, 0.25f, 0.25f),
                .zeros = uniform_levels(-3, {40, 6})};
  const Tensor tensor = floats_of(std::move(grid));
  const AxisOrder order{{1}, {0}};
  const auto encoding = arrived_encoding(tensor, order);
  ASSERT_TRUE(encoding) << encoding.error().message;
  const auto& affine = std::get<AffineEncoding>(*encoding);
  EXPECT_EQ(affine.bits, 8);
  EXPECT_EQ(affine.group, 64);
  EXPECT_EQ(affine.scale_bits, 16);
  EXPECT_EQ(affine.zero_default, 125);
  expect_same(tensor, order, *encoding);
}

TEST(Arrived, FewCodesTakeFewBits) {
  CodeGrid grid{.codes = codes(2, 4, 32, 2),
                .scales = uniform_levels(1, {4, 32}),
                .zeros = uniform_levels(0.5f, {4, 32})};
  const Tensor tensor = floats_of(std::move(grid));
  const auto encoding = arrived_encoding(tensor, {{0}, {1}});
  ASSERT_TRUE(encoding);
  EXPECT_EQ(value_bits(*encoding), 2);
  expect_same(tensor, {{0}, {1}}, *encoding);
}

TEST(Arrived, ZeroPointsInQuarters) {
  CodeGrid grid{.codes = codes(4, 2, 64),
                .scales = uniform_levels(0.3f, {2, 64}),
                .zeros = levels({2, 2}, {1, 32}, 3.25f, 0.75f)};
  const Tensor tensor = floats_of(std::move(grid));
  const auto encoding = arrived_encoding(tensor, {{0}, {1}});
  ASSERT_TRUE(encoding);
  EXPECT_EQ(std::get<AffineEncoding>(*encoding).zero_step, 0.25f);
  expect_same(tensor, {{0}, {1}}, *encoding);
}

TEST(Arrived, ACodebook) {
  CodeGrid grid{.codes = codes(4, 5, 96),
                .scales = levels({5, 3}, {1, 32}, 0.7f, 0.01f),
                .zeros = uniform_levels(0, {5, 96})};
  for (int i = 0; i < 16; ++i) grid.codebook.push_back(static_cast<float>(i * i) / 7);
  const Tensor tensor = floats_of(std::move(grid));
  const auto encoding = arrived_encoding(tensor, {{0}, {1}});
  ASSERT_TRUE(encoding);
  EXPECT_EQ(std::get<CodebookEncoding>(*encoding).group, 32);
  expect_same(tensor, {{0}, {1}}, *encoding);
}

TEST(Arrived, AScaleForEachNumberThatIsSummedHasNoPlace) {
  CodeGrid grid{.codes = codes(8, 40, 6),
                .scales = levels({40, 1}, {1, 6}, 0.25f, 0.25f),
                .zeros = uniform_levels(0, {40, 6})};
  const Tensor tensor = floats_of(std::move(grid));
  const auto encoding = arrived_encoding(tensor, {{1}, {0}});
  ASSERT_FALSE(encoding);
  EXPECT_EQ(encoding.error().message,
            "its scales or zero points differ between neighbours along the axis that is summed");
}

TEST(Arrived, OtherNumbersThanTheCodesStandFor) {
  CodeGrid grid{.codes = codes(4, 2, 32),
                .scales = uniform_levels(0.5f, {2, 32}),
                .zeros = uniform_levels(8, {2, 32})};
  Tensor tensor = floats_of(grid);
  grid.scales = uniform_levels(0.25f, {2, 32});
  tensor.grid = std::make_shared<const CodeGrid>(std::move(grid));
  const auto encoding = arrived_encoding(tensor, {{0}, {1}});
  ASSERT_FALSE(encoding);
  EXPECT_EQ(encoding.error().message, "its numbers are not those of its codes any more");
}

}  // namespace
}  // namespace subbyte
