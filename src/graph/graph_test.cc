#include "graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "graph/ops.h"

namespace subbyte {
namespace {

using testing::ElementsAre;

template <typename T>
Tensor tensor_of(DType dtype, const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return make_tensor(dtype, {static_cast<std::int64_t>(values.size())}, std::move(bytes));
}

TEST(DTypeTest, NamesGoBothWays) {
  for (int i = 0; i <= 16; ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_name(dtype_name(dtype)), dtype);
  }
  EXPECT_EQ(dtype_name(DType::boolean), "bool");
  EXPECT_EQ(dtype_from_name("float"), std::nullopt);
  EXPECT_EQ(dtype_size(DType::bfloat16), 2u);
  EXPECT_EQ(gpu_type(DType::int64), GpuType::i32);
  EXPECT_EQ(gpu_type(DType::boolean), GpuType::u32);
  EXPECT_EQ(gpu_type(DType::string), std::nullopt);
}

TEST(OpsTest, FindsEachRowByItsName) {
  for (std::size_t i = 0; i < op_count(); ++i) {
    const OpInfo& info = op_info(static_cast<Op>(i + 1));
    EXPECT_EQ(find_op(info.domain, info.name), info.op);
  }
  EXPECT_EQ(find_op("ai.onnx", "MatMul"), Op::MatMul);
  EXPECT_EQ(find_op("com.microsoft", "MatMul"), Op::Unknown);
  EXPECT_EQ(find_op("", "matmul"), Op::Unknown);
  EXPECT_EQ(op_info(Op::Concat).inputs_max, kMany);
}

TEST(TensorTest, IntegerValuesOfEachWidth) {
  EXPECT_THAT(*integer_values(tensor_of<std::int8_t>(DType::int8, {-1, 7})), ElementsAre(-1, 7));
  EXPECT_THAT(*integer_values(tensor_of<std::uint16_t>(DType::uint16, {65535})),
              ElementsAre(65535));
  EXPECT_THAT(*integer_values(tensor_of<std::uint64_t>(DType::uint64, {UINT64_MAX})),
              ElementsAre(INT64_MAX));
  EXPECT_THAT(*integer_values(tensor_of<std::uint8_t>(DType::boolean, {0, 1, 2})),
              ElementsAre(0, 1, 1));
  EXPECT_EQ(integer_values(tensor_of<float>(DType::float32, {1})), std::nullopt);
  Tensor truncated = tensor_of<std::int64_t>(DType::int64, {1});
  truncated.dims = {2};
  EXPECT_EQ(integer_values(truncated), std::nullopt);
}

TEST(TensorTest, ReadsFloatsOfEachWidth) {
  float out[4] = {};
  read_floats(tensor_of<double>(DType::float64, {0.5, -2}), 1, 1, out);
  EXPECT_EQ(out[0], -2.0f);
  read_floats(tensor_of<std::uint16_t>(DType::float16, {0x3c00, 0x0001, 0xfbff, 0x8000}), 0, 4,
              out);
  EXPECT_THAT(out, ElementsAre(1.0f, 0x1p-24f, -65504.0f, 0.0f));
  EXPECT_TRUE(std::signbit(out[3]));
  read_floats(tensor_of<std::uint16_t>(DType::float16, {0x7c00, 0x7e00}), 0, 2, out);
  EXPECT_TRUE(std::isinf(out[0]));
  EXPECT_TRUE(std::isnan(out[1]));
  read_floats(tensor_of<std::uint16_t>(DType::bfloat16, {0x3f80, 0xc000}), 0, 2, out);
  EXPECT_EQ(out[1], -2.0f);
}

TEST(GraphTest, NodesAndUses) {
  Graph graph;
  const ValueId x = graph.add_value({.name = "x"});
  const ValueId y = graph.add_value({.name = "y"});
  graph.inputs = {x};
  graph.outputs = {y};
  Node node{.op = Op::Mul, .op_type = "Mul", .name = "m\n", .inputs = {x, x}, .outputs = {y}};
  node.attributes = {
      {"i", std::int64_t{3}}, {"s", std::string("text")}, {"v", std::vector<std::int64_t>{1, 2}}};
  const NodeId id = graph.add_node(node);
  EXPECT_EQ(graph.values[y].producer, id);
  const Uses uses = find_uses(graph);
  EXPECT_EQ(uses.count(x), 2u);
  EXPECT_EQ(uses.count(y), 1u);
  EXPECT_EQ(graph.nodes[id].int_or("i", 0), 3);
  EXPECT_EQ(graph.nodes[id].int_or("s", 9), 9);
  EXPECT_EQ(graph.nodes[id].string_or("s", ""), "text");
  EXPECT_THAT(*graph.nodes[id].ints("v"), ElementsAre(1, 2));
  EXPECT_EQ(describe(graph, id), "node 'm\\n' (Mul)");
  graph.nodes[id].name.clear();
  EXPECT_EQ(describe(graph, id), "node 0 (Mul)");
}

}  // namespace
}  // namespace subbyte
