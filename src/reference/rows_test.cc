// Products, reductions, softmax, normalisation.
#include "graph/ops.h"
#include "reference/test_tensors.h"

namespace subbyte::reference {
namespace {

Attribute integer(std::string name, std::int64_t value) { return {std::move(name), value}; }

TEST(Product, MatMulOfVectorsAndBatches) {
  const auto matmul = [](Tensor a, Tensor b) {
    return text(evaluate_on(make_node(Op::MatMul), {std::move(a), std::move(b)}));
  };
  EXPECT_EQ(matmul(floats({2}, {1, 2}), floats({2}, {3, 4})), "float32 [] 11");
  EXPECT_EQ(matmul(floats({2}, {1, 2}), floats({2, 3}, {1, 2, 3, 4, 5, 6})), "float32 [3] 9 12 15");
  EXPECT_EQ(matmul(floats({2, 1, 2}, {1, 2, 3, 4}), floats({2}, {1, 1})), "float32 [2, 1] 3 7");
  EXPECT_EQ(matmul(floats({2, 1, 1, 2}, {1, 2, 3, 4}), floats({3, 2, 1}, {1, 0, 0, 1, 1, 1})),
            "float32 [2, 3, 1, 1] 1 2 3 3 4 7");
  EXPECT_EQ(matmul(floats({0, 2}, {}), floats({2, 1}, {1, 1})), "float32 [0, 1]");
  EXPECT_EQ(matmul(floats({1, 0}, {}), floats({0, 2}, {})), "float32 [1, 2] 0 0");
  EXPECT_EQ(matmul(int32s({1, 2}, {1 << 30, 1}), int32s({2, 1}, {4, 5})), "int32 [1, 1] 5");
  EXPECT_EQ(matmul(floats({1, 2}, {1, 2}), floats({1, 2}, {1, 2})),
            "error: MatMul: the shapes [1, 2] and [1, 2] do not multiply; 2 columns meet 1 rows");
}

TEST(Product, GemmTransposesScalesAndAdds) {
  const Node node = make_node(
      Op::Gemm, {integer("transA", 1), integer("transB", 1), {"alpha", 0.5f}, {"beta", 2.0f}});
  EXPECT_EQ(text(evaluate_on(node, {floats({2, 1}, {2, 4}), floats({2, 2}, {1, 1, 3, 5}),
                                    floats({2}, {10, 20})})),
            "float32 [1, 2] 23 53");
  EXPECT_EQ(text(evaluate_on(node, {floats({2, 1}, {2, 4}), floats({2, 2}, {1, 1, 3, 5}),
                                    floats({3}, {1, 2, 3})})),
            "error: Gemm: the shape [3] does not broadcast to [1, 2]");
}

TEST(Reduce, AxesAndKeepdims) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto reduce = [&](Op op, std::optional<Tensor> axes,
                          std::vector<Attribute> attributes = {}) {
    return text(evaluate_on(make_node(op, std::move(attributes)), {x, std::move(axes)}));
  };
  EXPECT_EQ(reduce(Op::ReduceSum, int64s({1}, {0})), "float32 [1, 3] 5 7 9");
  EXPECT_EQ(reduce(Op::ReduceSum, int64s({1}, {1}), {integer("keepdims", 0)}), "float32 [2] 6 15");
  EXPECT_EQ(reduce(Op::ReduceMean, int64s({2}, {0, 1}), {integer("keepdims", 0)}),
            "float32 [] 3.5");
  EXPECT_EQ(reduce(Op::ReduceL2, int64s({1}, {1})), "float32 [2, 1] 3.74166 8.77496");
  EXPECT_EQ(reduce(Op::ReduceLogSumExp, int64s({1}, {1})), "float32 [2, 1] 3.40761 6.40761");
  EXPECT_EQ(reduce(Op::ReduceProd, int64s({2}, {0, 1})), "float32 [1, 1] 720");
  // No axes reduced still squares.
  EXPECT_EQ(reduce(Op::ReduceSumSquare, int64s({0}, {})), "float32 [2, 3] 1 4 9 16 25 36");
  EXPECT_EQ(reduce(Op::ReduceMax, int64s({1}, {2})),
            "error: ReduceMax: axis 2 is out of range; a tensor of rank 2 has axes 0 to 1");
}

TEST(Reduce, EmptyRowsGiveTheNeutralElement) {
  const auto reduce = [](Op op, Tensor x) {
    return text(evaluate_on(make_node(op), {std::move(x), int64s({1}, {1})}));
  };
  EXPECT_EQ(reduce(Op::ReduceSum, floats({1, 0}, {})), "float32 [1, 1] 0");
  EXPECT_EQ(reduce(Op::ReduceProd, floats({1, 0}, {})), "float32 [1, 1] 1");
  EXPECT_EQ(reduce(Op::ReduceMax, floats({1, 0}, {})), "float32 [1, 1] -inf");
  EXPECT_EQ(reduce(Op::ReduceMin, int32s({1, 0}, {})), "int32 [1, 1] 2147483647");
  EXPECT_EQ(reduce(Op::ReduceMean, floats({1, 0}, {})), "float32 [1, 1] 0");
  EXPECT_EQ(reduce(Op::ReduceMean, int32s({1, 0}, {})),
            "error: ReduceMean: there is no mean of no integers; the reduced axes are empty");
}

TEST(Softmax, AlongOneAxis) {
  const Tensor x = floats({2, 2}, {0, 1000, 0, 1000});
  EXPECT_EQ(text(evaluate_on(make_node(Op::Softmax, {integer("axis", 1)}), {x})),
            "float32 [2, 2] 0 1 0 1");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Softmax, {integer("axis", 0)}), {x})),
            "float32 [2, 2] 0.5 0.5 0.5 0.5");
  EXPECT_EQ(text(evaluate_on(make_node(Op::LogSoftmax, {integer("axis", 1)}), {x})),
            "float32 [2, 2] -1000 0 -1000 0");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Softmax, {integer("axis", 0)}), {floats({}, {1})})),
            "error: Softmax: axis 0 is out of range; a scalar has no axes");
}

TEST(LayerNormalization, GivesTheStatisticsToo) {
  const Tensor x = floats({2, 2}, {1, 3, 10, 30});
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::LayerNormalization, {integer("axis", 1)}, 3),
                       {x, floats({2}, {1, 2}), floats({2}, {0, 1})})),
      "float32 [2, 2] -0.999995 2.99999 -1 3; float32 [2, 1] 2 20; float32 [2, 1] 0.999995 0.1");
  EXPECT_EQ(text(evaluate_on(make_node(Op::RMSNormalization, {integer("axis", 1)}),
                             {x, floats({2}, {1, 2})})),
            "float32 [2, 2] 0.447213 2.68328 0.447214 2.68328");
  EXPECT_EQ(text(evaluate_on(
                make_node(Op::LayerNormalization, {integer("axis", 1), integer("stash_type", 7)}),
                {x, floats({2}, {1, 2})})),
            "error: LayerNormalization: stash_type is 7; it must be the number of a float data "
            "type, such "
            "as 1");
}

}  // namespace
}  // namespace subbyte::reference
