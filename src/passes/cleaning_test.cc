// fold_constants, remove_identities, remove_unused.
#include "graph/infer.h"
#include "graph/ops.h"
#include "passes/passes.h"
#include "passes/test_model.h"

namespace subbyte {
namespace {

std::string after(Expected<void> (*pass)(Model&), TestModel& test) {
  const auto done = pass(test.model);
  return done ? listing(test.model) : "error: " + done.error().message;
}

TEST(FoldConstants, ChainsOfConstantsBecomeConstants) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  const ValueId a = t.constant("a", floats({2}, {1, 2}));
  const ValueId b = t.node(Op::Neg, {a}, "b");
  const ValueId c = t.node(Op::Mul, {b, b}, "c");
  t.output(t.node(Op::Add, {x, c}, "y"));
  EXPECT_EQ(after(fold_constants, t), "(x) -> (y); c = 1 4; y = Add(x, c)");
  EXPECT_EQ(t.model.main().values[1].shape, t.exprs({2}));
}

TEST(FoldConstants, ContentThatIsAllNumbersIsAConstant) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2, 3});
  const ValueId shape = t.node(Op::Shape, {x}, "shape");
  t.set_shape(shape, DType::int64, {2});
  t.model.main().values[shape].content = t.exprs({2, 3});
  t.output(t.node(Op::Reshape, {x, shape}, "y"));
  EXPECT_EQ(after(fold_constants, t), "(x) -> (y); shape = 2 3; y = Reshape(x, shape)");
}

TEST(FoldConstants, ContentWithASymbolIsNot) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  const ValueId shape = t.node(Op::Shape, {x}, "shape");
  t.set_shape(shape, DType::int64, {1});
  t.model.main().values[shape].content =
      std::vector<Expr>{t.model.exprs.symbol({.name = "n", .source = {}})};
  t.output(shape);
  EXPECT_EQ(after(fold_constants, t), "(x) -> (shape); shape = Shape(x)");
}

TEST(FoldConstants, ResultsMuchLargerThanTheirInputsStayNodes) {
  TestModel t;
  const ValueId size = t.constant("size", int64s({1}, {1 << 20}));
  const ValueId zeros = t.node(Op::ConstantOfShape, {size}, "zeros");
  t.set_shape(zeros, DType::float32, {1 << 20});
  t.output(zeros);
  // The same without a known shape.
  t.output(t.node(Op::ConstantOfShape, {size}, "more"));
  EXPECT_EQ(after(fold_constants, t),
            "() -> (zeros, more); size = 1048576; zeros = ConstantOfShape(size); more = "
            "ConstantOfShape(size)");
}

// 2^36 additions for a result of a megabyte.
TEST(FoldConstants, ResultsOfHugeWindowsStayNodes) {
  TestModel t;
  const ValueId image = t.constant(
      "image", make_tensor(DType::float32, {1, 1, 512, 512}, std::vector<std::byte>(1 << 20)));
  const ValueId means = t.node(Op::AveragePool, {image}, "means",
                               {{"kernel_shape", std::vector<std::int64_t>{512, 512}},
                                {"pads", std::vector<std::int64_t>(4, 255)}});
  t.set_shape(means, DType::float32, {1, 1, 511, 511});
  t.output(means);
  ASSERT_TRUE(fold_constants(t.model));
  EXPECT_EQ(t.model.main().nodes.size(), 1u);
}

TEST(FoldConstants, WhatCannotBeComputedIsAnErrorThatNamesTheNode) {
  TestModel t;
  const ValueId a = t.constant("a", int64s({1}, {1}));
  const ValueId zero = t.constant("zero", int64s({1}, {0}));
  const ValueId y = t.node(Op::Div, {a, zero}, "y");
  t.set_shape(y, DType::int64, {1});
  t.model.main().nodes[0].name = "ratio";
  t.output(y);
  EXPECT_EQ(after(fold_constants, t),
            "error: node 'ratio' (Div): Div: an integer is divided by zero");
}

TEST(FoldConstants, GrowthThatAddsUpEnds) {
  TestModel t;
  ValueId x = t.constant("x", floats({1}, {1}));
  const ValueId value = t.constant("value", floats({}, {2}));
  // Each step makes four of one: 4^14 elements, a gigabyte, in the end.
  for (int i = 0; i < 14; ++i) {
    const ValueId pads =
        t.constant(fmt::format("p{}", i), int64s({2}, {0, std::int64_t{3} << (2 * i)}));
    x = t.node(Op::Pad, {x, pads, value}, fmt::format("x{}", i), {{"mode", "constant"}});
    t.set_shape(x, DType::float32, {std::int64_t{4} << (2 * i)});
  }
  t.output(x);
  ASSERT_TRUE(fold_constants(t.model));
  ASSERT_EQ(t.model.main().nodes.size(), 3u);
  EXPECT_EQ(t.model.main().values[t.model.main().nodes[0].outputs[0]].name, "x11");
}

TEST(FoldConstants, UnknownOperatorsAndGraphsStay) {
  TestModel t;
  const ValueId a = t.constant("a", floats({1}, {1}));
  t.output(t.node(Op::Unknown, {a}, "y"));
  t.output(t.node(Op::Neg, {a}, "z", {{"body", GraphRef{1}}}));
  EXPECT_EQ(after(fold_constants, t), "() -> (y, z); a = 1; y = Mystery(a); z = Neg(a)");
}

TEST(FoldConstants, OneOutputOfSeveralMayBecomeAConstant) {
  TestModel t;
  const ValueId x = t.input("x", DType::int64, {2});
  const auto parts = t.nodes(Op::Split, {x}, {"first", "second"});
  t.set_shape(parts[0], DType::int64, {1});
  t.model.main().values[parts[0]].content = t.exprs({7});
  t.output(parts[0]);
  t.output(parts[1]);
  EXPECT_EQ(after(fold_constants, t),
            "(x) -> (first, second); first = 7; first_output_0, second = Split(x)");
}

TEST(RemoveIdentities, ReadersTakeTheInput) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  const ValueId a = t.node(Op::Identity, {x}, "a");
  const ValueId b = t.nodes(Op::Dropout, {a}, {"b", "mask"})[0];
  const ValueId c = t.node(Op::Concat, {b}, "c", {{"axis", std::int64_t{0}}});
  const ValueId d = t.node(Op::Cast, {c}, "d", {{"to", std::int64_t{1}}});
  t.output(t.node(Op::Add, {d, a}, "y"));
  EXPECT_EQ(after(remove_identities, t), "(x) -> (y); y = Add(x, x)");
}

TEST(RemoveIdentities, RealCastsAndReadMasksStay) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  t.output(t.node(Op::Cast, {x}, "y", {{"to", std::int64_t{10}}}));
  const auto dropped = t.nodes(Op::Dropout, {x}, {"z", "mask"});
  t.output(t.node(Op::Neg, {dropped[0]}, "w"));
  t.output(dropped[1]);
  EXPECT_EQ(after(remove_identities, t),
            "(x) -> (y, w, mask); y = Cast(x); z, mask = Dropout(x); w = Neg(z)");
}

TEST(RemoveIdentities, GraphOutputsKeepTheirNames) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  const ValueId a = t.node(Op::Neg, {x}, "a");
  t.set_shape(a, DType::float32, {2});
  const ValueId b = t.node(Op::Abs, {a}, "b");
  const ValueId y = t.node(Op::Identity, {a}, "y");
  const ValueId z = t.node(Op::Identity, {a}, "z");
  const ValueId c = t.node(Op::Mul, {a, b}, "c");
  for (const ValueId id : {y, z, c}) t.output(id);
  // y takes the place of a; z needs a name of its own, and so its node stays.
  EXPECT_EQ(after(remove_identities, t),
            "(x) -> (y, z, c); y = Neg(x); b = Abs(y); z = Identity(y); c = Mul(y, b)");
  EXPECT_EQ(t.model.main().values[t.model.main().outputs[0]].shape, t.exprs({2}));
}

TEST(RemoveIdentities, PassedThroughInputsAndConstantsKeepTheirNames) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  const ValueId c = t.constant("c", floats({1}, {3}));
  t.output(t.node(Op::Identity, {x}, "y"));
  t.output(t.node(Op::Identity, {c}, "z"));
  EXPECT_EQ(after(remove_identities, t), "(x) -> (y, z); c = 3; z = 3; y = Identity(x)");
}

TEST(RemoveIdentities, ChainsThatEndInAnOutput) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  const ValueId a = t.node(Op::Neg, {x}, "a");
  const ValueId b = t.node(Op::Identity, {a}, "b");
  t.output(t.node(Op::Identity, {b}, "y"));
  t.output(t.node(Op::Abs, {b}, "z"));
  EXPECT_EQ(after(remove_identities, t), "(x) -> (y, z); y = Neg(x); z = Abs(y)");
}

// That a definition gives a constant, and what the source calls it, goes on to what holds its
// elements.
class Origins : public testing::Test {
 protected:
  ValueId defined(const std::string& name, std::vector<std::int64_t> dims, float first) {
    Tensor tensor{DType::float32, dims};
    std::vector<float> values(static_cast<std::size_t>(tensor.elements()), first);
    values[0] += 1;
    const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
    const ValueId id =
        t_.constant(name, make_tensor(DType::float32, std::move(dims),
                                      {bytes, bytes + values.size() * sizeof(float)}));
    t_.model.main().values[id].is_defined = true;
    return id;
  }
  // The constants that are left, with their other names; a star where they are defined.
  std::string constants(Expected<void> (*pass)(Model&)) {
    const auto inferred = infer(t_.model);
    EXPECT_TRUE(inferred);
    const auto done = pass(t_.model);
    EXPECT_TRUE(done);
    const Uses uses = find_uses(t_.model.main());
    std::string list;
    for (ValueId v = 0; v < t_.model.main().values.size(); ++v) {
      const Value& value = t_.model.main().values[v];
      if (!value.constant || !is_float(value.dtype) || uses.count(v) == 0) continue;
      list += (list.empty() ? "" : "; ") + value.name + (value.is_defined ? "*" : "");
      for (const std::string& alias : value.aliases) list += " " + alias;
    }
    return list;
  }

  TestModel t_;
};

TEST_F(Origins, OfWhatIsStoredOnce) {
  const ValueId x = t_.input("x", DType::float32, {64, 64});
  const ValueId same =
      t_.constant("same", *t_.model.main().values[defined("w", {64, 64}, 2)].constant);
  t_.output(t_.node(Op::MatMul, {x, same}, "y"));
  t_.output(t_.node(Op::MatMul, {x, 1}, "z"));
  EXPECT_EQ(constants(merge_constants), "w* same");
}

TEST_F(Origins, OfWhatRepeats) {
  const ValueId x = t_.input("x", DType::float32, {64, 64});
  Tensor row = *t_.model.main().values[defined("row", {1, 64}, 2)].constant;
  std::vector<std::byte> bytes;
  for (int i = 0; i < 64; ++i)
    bytes.insert(bytes.end(), row.data.data(), row.data.data() + row.data.size());
  const ValueId table =
      t_.constant("table", make_tensor(DType::float32, {64, 64}, std::move(bytes)));
  t_.model.main().values[table].is_defined = true;
  t_.output(t_.node(Op::Add, {x, table}, "y"));
  EXPECT_EQ(constants(collapse_repeats), "table_once* table");
}

TEST_F(Origins, OfABiasThatIsCopied) {
  const ValueId x = t_.input("x", DType::float32, {2, 4});
  const ValueId w = t_.constant("w", floats({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8}));
  const ValueId v = t_.constant("v", floats({4, 2}, {8, 7, 6, 5, 4, 3, 2, 1}));
  const ValueId bias = defined("bias", {2}, 3);
  const ValueId scale = t_.constant("scale", floats({2}, {2, 4}));
  t_.output(t_.node(Op::Mul, {t_.node(Op::Gemm, {x, w, bias}, "p"), scale}, "y"));
  t_.output(t_.node(Op::Gemm, {x, v, bias}, "z"));
  EXPECT_EQ(constants(fold_batch_norms), "w; v; bias*; p_bias*");
}

TEST(RemoveUnused, KeepsInputsAndWhatOutputsNeed) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  t.input("unread", DType::float32, {2});
  t.constant("lost", floats({1}, {1}));
  const ValueId a = t.node(Op::Neg, {x}, "a");
  const ValueId dead = t.node(Op::Abs, {a}, "dead");
  t.node(Op::Abs, {dead}, "deader");
  t.output(t.node(Op::Relu, {a}, "y"));
  EXPECT_EQ(after(remove_unused, t), "(x, unread) -> (y); a = Neg(x); y = Relu(a)");
  EXPECT_EQ(t.model.main().values.size(), 4u);
}

TEST(RemoveUnused, OptionalOutputsGoRequiredOnesStay) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  const ValueId scale = t.constant("scale", floats({2}, {1, 2}));
  t.output(t.nodes(Op::LayerNormalization, {x, scale}, {"y", "mean", "inverse"})[0]);
  t.output(t.nodes(Op::Split, {x}, {"first", "second"})[0]);
  t.output(t.nodes(Op::TopK, {x, scale}, {"values", "indices"})[0]);
  EXPECT_EQ(after(remove_unused, t),
            "(x) -> (y, first, values); scale = 1 2; y = LayerNormalization(x, scale); first, "
            "second = Split(x); values, indices = TopK(x, scale)");
}

TEST(RemoveUnused, WhatGraphsInsideNodesTakeIsUsed) {
  TestModel t;
  const ValueId x = t.input("x", DType::float32, {2});
  t.node(Op::Neg, {x}, "taken");
  t.output(t.node(Op::Unknown, {x}, "y", {{"body", GraphRef{1}}}));
  Graph& body = t.model.graphs.emplace_back();
  Value capture;
  capture.name = "taken";
  body.add_value(std::move(capture));
  EXPECT_EQ(after(remove_unused, t), "(x) -> (y); taken = Neg(x); y = Mystery(x)");
}

}  // namespace
}  // namespace subbyte
