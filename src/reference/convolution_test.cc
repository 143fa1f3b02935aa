// Convolutions and pools. That both agree with ONNX and ONNX Runtime is tested in
// tests/reference_test.py.
#include "reference/convolution.h"

#include "graph/ops.h"
#include "reference/test_tensors.h"

namespace subbyte::reference {
namespace {

Attribute integer(std::string name, std::int64_t value) { return {std::move(name), value}; }
Attribute list(std::string name, Dims values) { return {std::move(name), std::move(values)}; }

TEST(Convolution, OfALine) {
  const Tensor x = floats({1, 1, 4}, {1, 2, 3, 4});
  const Tensor w = floats({1, 1, 2}, {1, 10}), b = floats({1}, {100});
  const auto conv = [&](std::vector<Attribute> attributes) {
    return text(evaluate_on(make_node(Op::Conv, std::move(attributes)), {x, w, b}));
  };
  EXPECT_EQ(conv({}), "float32 [1, 1, 3] 121 132 143");
  EXPECT_EQ(conv({list("pads", {1, 0}), list("strides", {2})}), "float32 [1, 1, 2] 110 132");
  EXPECT_EQ(conv({list("dilations", {3})}), "float32 [1, 1, 1] 141");
  EXPECT_EQ(conv({{"auto_pad", std::string("SAME_UPPER")}}), "float32 [1, 1, 4] 121 132 143 104");
  EXPECT_EQ(conv({{"auto_pad", std::string("SAME_LOWER")}}), "float32 [1, 1, 4] 110 121 132 143");
  EXPECT_EQ(conv({list("strides", {0})}),
            "error: Conv: an element of its strides is 0; it must be in [1, 2147483647]");
  EXPECT_EQ(conv({integer("group", 0)}), "error: Conv: its group is 0; it must be at least 1");
  EXPECT_EQ(
      conv({integer("group", 2)}),
      "error: Conv: the input has shape [1, 1, 4] and the weights [1, 1, 2], which do not fit "
      "with group 2");
  EXPECT_EQ(
      conv({list("dilations", {4})}),
      "error: Conv: its window covers 5 positions of spatial axis 0, where the input with its "
      "padding has 4; make the input or the pads larger");
}

TEST(Convolution, TransposedSpreadsEachElement) {
  const Tensor x = floats({1, 1, 2}, {1, 2}), w = floats({1, 1, 3}, {1, 10, 100});
  const auto conv = [&](std::vector<Attribute> attributes) {
    return text(evaluate_on(make_node(Op::ConvTranspose, std::move(attributes)), {x, w}));
  };
  EXPECT_EQ(conv({}), "float32 [1, 1, 4] 1 12 120 200");
  EXPECT_EQ(conv({list("strides", {3}), list("output_padding", {1})}),
            "float32 [1, 1, 7] 1 10 100 2 20 200 0");
  EXPECT_EQ(conv({list("pads", {1, 0})}), "float32 [1, 1, 3] 12 120 200");
  EXPECT_EQ(conv({list("output_shape", {6})}), "float32 [1, 1, 6] 1 12 120 200 0 0");
  EXPECT_EQ(conv({list("pads", {3, 2})}),
            "error: ConvTranspose: the shape [1, 1, -1] has a negative dimension; dimensions are "
            "at least "
            "0");
}

TEST(Pool, MaximaAndWhereTheyAre) {
  const Tensor x = floats({1, 1, 2, 3}, {1, 5, 2, 9, 4, 9});
  const auto pool = [&](std::vector<Attribute> attributes) {
    attributes.push_back(list("kernel_shape", {2, 2}));
    return text(evaluate_on(make_node(Op::MaxPool, std::move(attributes), 2), {x}));
  };
  EXPECT_EQ(pool({}), "float32 [1, 1, 1, 2] 9 9; int64 [1, 1, 1, 2] 3 5");
  EXPECT_EQ(pool({integer("storage_order", 1)}),
            "float32 [1, 1, 1, 2] 9 9; int64 [1, 1, 1, 2] 1 5");
  EXPECT_EQ(pool({list("strides", {2, 2}), integer("ceil_mode", 1)}),
            "float32 [1, 1, 1, 2] 9 9; int64 [1, 1, 1, 2] 3 5");
  const Node bytes = make_node(Op::MaxPool, {list("kernel_shape", {2})});
  EXPECT_EQ(text(evaluate_on(bytes, {tensor<std::int8_t>(DType::int8, {1, 1, 3}, {-3, -2, -5})})),
            "int8 [1, 1, 2] -2 -2");
}

TEST(Pool, MeansCountPaddingOrNot) {
  const Tensor x = floats({1, 1, 3}, {2, 4, 6});
  const auto mean = [&](std::vector<Attribute> attributes) {
    attributes.push_back(list("kernel_shape", {2}));
    return text(evaluate_on(make_node(Op::AveragePool, std::move(attributes)), {x}));
  };
  EXPECT_EQ(mean({}), "float32 [1, 1, 2] 3 5");
  EXPECT_EQ(mean({list("pads", {1, 0})}), "float32 [1, 1, 3] 2 3 5");
  EXPECT_EQ(mean({list("pads", {1, 0}), integer("count_include_pad", 1)}),
            "float32 [1, 1, 3] 1 3 5");
  // What the last window has beyond the padding never counts.
  EXPECT_EQ(mean({list("strides", {2}), integer("ceil_mode", 1), integer("count_include_pad", 1)}),
            "float32 [1, 1, 2] 3 6");
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::LpPool, {list("kernel_shape", {2}), integer("p", 1)}), {x})),
      "float32 [1, 1, 2] 6 10");
}

TEST(Pool, AHugeWindowVisitsWhatIsThere) {
  const Node node = make_node(Op::MaxPool, {list("kernel_shape", {INT32_MAX, INT32_MAX}),
                                            list("pads", {INT32_MAX - 1, INT32_MAX - 1, 0, 0})});
  EXPECT_EQ(text(evaluate_on(node, {floats({1, 1, 1, 1}, {3})})), "float32 [1, 1, 1, 1] 3");
}

}  // namespace
}  // namespace subbyte::reference
