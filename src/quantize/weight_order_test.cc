#include "quantize/weight_order.h"

#include <gtest/gtest.h>

#include "graph/ops.h"

namespace subbyte {
namespace {

using Dims = std::vector<std::int64_t>;

Node transposed(std::vector<std::pair<std::string, AttributeValue>> attributes) {
  Node node;
  node.op = Op::ConvTranspose;
  node.op_type = "ConvTranspose";
  for (auto& [name, value] : attributes) node.attributes.push_back({name, std::move(value)});
  return node;
}

AxisOrder order_of(const Node& node, const Dims& dims) {
  return conv_transpose_weight_order(node, dims);
}

TEST(ConvWeightOrder, KernelThenChannels) {
  EXPECT_EQ(conv_weight_order(3), (AxisOrder{{0}, {2, 1}}));
  EXPECT_EQ(conv_weight_order(4), (AxisOrder{{0}, {2, 3, 1}}));
  EXPECT_EQ(conv_weight_order(5), (AxisOrder{{0}, {2, 3, 4, 1}}));
}

TEST(ConvTransposeWeightOrder, PixelShuffle) {
  const Dims dims = {24, 6, 2, 3};
  const AxisOrder shuffled{{1, 2, 3}, {0}};
  EXPECT_EQ(order_of(transposed({{"strides", Dims{2, 3}}}), dims), shuffled);
  EXPECT_EQ(order_of(transposed({{"strides", Dims{2, 3}},
                                 {"pads", Dims{0, 0, 0, 0}},
                                 {"dilations", Dims{1, 1}},
                                 {"output_padding", Dims{0, 0}},
                                 {"auto_pad", std::string("VALID")}}),
                     dims),
            shuffled);
  // A kernel of one position and no strides.
  EXPECT_EQ(order_of(transposed({}), {24, 6, 1, 1}), shuffled);
}

TEST(ConvTransposeWeightOrder, AllElse) {
  const Dims dims = {24, 6, 2, 3};
  const AxisOrder gathered{{1}, {2, 3, 0}};
  EXPECT_EQ(order_of(transposed({}), dims), gathered);
  EXPECT_EQ(order_of(transposed({{"strides", Dims{2, 2}}}), dims), gathered);
  const std::pair<std::string, AttributeValue> strides = {"strides", Dims{2, 3}};
  EXPECT_EQ(order_of(transposed({strides, {"pads", Dims{0, 1, 0, 0}}}), dims), gathered);
  EXPECT_EQ(order_of(transposed({strides, {"dilations", Dims{1, 2}}}), dims), gathered);
  EXPECT_EQ(order_of(transposed({strides, {"output_padding", Dims{1, 0}}}), dims), gathered);
  EXPECT_EQ(order_of(transposed({strides, {"output_shape", Dims{9, 9}}}), dims), gathered);
  EXPECT_EQ(order_of(transposed({strides, {"auto_pad", std::string("SAME_UPPER")}}), dims),
            gathered);
  EXPECT_EQ(order_of(transposed({strides, {"group", std::int64_t{2}}}), dims),
            (AxisOrder{{0, 1}, {2, 3}}));
}

}  // namespace
}  // namespace subbyte
