// What the golden tests of fusion (tests/golden/passes/fuse*) do not show.
#include "passes/fuse_rules.h"

#include "graph/infer.h"
#include "graph/ops.h"
#include "passes/passes.h"
#include "passes/test_model.h"

namespace subbyte {
namespace {

// x -> exp(x - max) / sum, behind as many values as the caller has made.
void add_softmax(TestModel& t, ValueId x) {
  const ValueId axes = t.constant("axes", int64s({1}, {1}));
  const ValueId largest =
      t.node(Op::ReduceMax, {x, axes}, "largest", {{"keepdims", std::int64_t{1}}});
  const ValueId power = t.node(Op::Exp, {t.node(Op::Sub, {x, largest}, "shifted")}, "power");
  const ValueId sum = t.node(Op::ReduceSum, {power, axes}, "sum", {{"keepdims", std::int64_t{1}}});
  t.output(t.node(Op::Div, {power, sum}, "y"));
}

TEST(FuseRules, ValuesKeepTheirIds) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2, 3});
  add_softmax(t, x);
  t.output(t.node(Op::Mul, {t.model.main().outputs[0], t.constant("w", floats({1}, {3}))}, "z"));
  ASSERT_TRUE(infer(t.model));
  std::vector<std::string> before;
  for (const Value& value : t.model.main().values) before.push_back(value.name);
  ASSERT_TRUE(run_passes(t.model, fusion_passes()));
  EXPECT_EQ(t.model.main().nodes.size(), 2);
  for (std::size_t v = 0; v < before.size(); ++v)
    EXPECT_EQ(t.model.main().values[v].name, before[v]);
  EXPECT_EQ(listing(t.model), "(x) -> (y, z); axes = 1; w = 3; y = Softmax(x); z = Mul(y, w)");
}

TEST(FuseRules, NodesKeepTheirNames) {
  TestModel t;
  add_softmax(t, t.input("x", DType::float32, {2, 3}));
  t.model.main().nodes.back().name = "attention/softmax";
  ASSERT_TRUE(infer(t.model));
  ASSERT_TRUE(fuse_softmax(t.model));
  ASSERT_EQ(t.model.main().nodes.size(), 1);
  EXPECT_EQ(t.model.main().nodes[0].name, "attention/softmax");
}

// A body of If may read what is computed around it.
TEST(FuseRules, LeavesModelsWithBodiesAlone) {
  TestModel t;
  add_softmax(t, t.input("x", DType::float32, {2, 3}));
  t.model.graphs.emplace_back();
  ASSERT_TRUE(infer(t.model));
  ASSERT_TRUE(fuse_softmax(t.model));
  EXPECT_EQ(t.model.main().nodes.size(), 5);
}

// Without inference there is nothing to go by.
TEST(FuseRules, NeedsShapes) {
  TestModel t;
  add_softmax(t, t.input("x", DType::float32, {2, 3}));
  ASSERT_TRUE(fuse_softmax(t.model));
  EXPECT_EQ(t.model.main().nodes.size(), 5);
}

// Every operand of every Mul could be a factor: the search gives up, soon.
TEST(FuseRules, AmbiguousGraphsTakeBoundedTime) {
  TestModel t;
  ValueId value = t.input("x", DType::float32, {2});
  for (int i = 0; i < 20'000; ++i) {
    const std::string name = std::to_string(i);
    value = t.node(Op::Mul, {value, value}, "m" + name);
    if (i % 4 == 3) value = t.node(Op::Tanh, {value}, "t" + name);
  }
  t.output(value);
  ASSERT_TRUE(infer(t.model));
  ASSERT_TRUE(run_passes(t.model, fusion_passes()));
  EXPECT_EQ(t.model.main().nodes.size(), 25'000);
}

Pattern shared(std::string_view name) { return node(Op::Neg, {any(name)}); }

TEST(Pattern, ANameIsOneValue) {
  TestModel t;
  const ValueId a = t.input("a", DType::float32, {2}), b = t.input("b", DType::float32, {2});
  const ValueId na = t.node(Op::Neg, {a}, "na"), nb = t.node(Op::Neg, {b}, "nb");
  t.node(Op::Add, {na, nb}, "sum");
  const Graph& graph = t.model.main();
  EXPECT_FALSE(match(graph, node(Op::Add, {shared("x"), shared("x")}), 2));
  const auto found = match(graph, node(Op::Add, {shared("x"), shared("y")}), 2);
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)["x"], a);
  EXPECT_EQ((*found)["y"], b);
  EXPECT_EQ((*found)["z"], kNone);
  EXPECT_EQ(found->nodes, (std::vector<NodeId>{0, 1, 2}));
}

// The first factor may take any operand, and only the last tells which was right.
TEST(Pattern, ProductsBacktrack) {
  TestModel t;
  const ValueId a = t.input("a", DType::float32, {2}), b = t.input("b", DType::float32, {2});
  const ValueId na = t.node(Op::Neg, {a}, "na");
  const ValueId ab = t.node(Op::Mul, {b, a}, "ab");
  t.node(Op::Mul, {na, ab}, "y");
  const auto found = match(t.model.main(), product({any("x"), any("y"), shared("x")}), 2);
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)["x"], a);
  EXPECT_EQ((*found)["y"], b);
  EXPECT_FALSE(match(t.model.main(), product({any("x"), any("x"), shared("x")}), 2));
}

TEST(Pattern, NumbersAreExactOrNear) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  const auto matches = [&](const std::string& name, Tensor tensor, const Pattern& pattern) {
    t.node(Op::Add, {x, t.constant(name, std::move(tensor))}, name + "_sum");
    const auto last = static_cast<NodeId>(t.model.main().nodes.size() - 1);
    return match(t.model.main(), node(Op::Add, {any("x"), pattern}), last).has_value();
  };
  EXPECT_TRUE(matches("a", floats({}, {2}), number(2)));
  EXPECT_TRUE(matches("b", floats({1, 1}, {2}), number(2)));
  EXPECT_TRUE(matches("c", int64s({1}, {2}), number(2)));
  EXPECT_FALSE(matches("d", floats({}, {2.0000002f}), number(2)));
  EXPECT_FALSE(matches("e", floats({2}, {2, 2}), number(2)));
  EXPECT_TRUE(matches("f", floats({}, {0.79788f}), number(0.7978845608, 1e-4)));
  EXPECT_FALSE(matches("g", floats({}, {0.798f}), number(0.7978845608, 1e-4)));
  // sqrt(2) as half is 1.4140625, off by 1.1e-4.
  const std::byte half[] = {std::byte{0xa8}, std::byte{0x3d}};
  const Tensor sqrt2 = make_tensor(DType::float16, {}, {half, half + 2});
  EXPECT_TRUE(matches("h", sqrt2, number(1.41421356, 1e-6)));
  EXPECT_FALSE(matches("i", sqrt2, number(1.41421356)));
}

}  // namespace
}  // namespace subbyte
