#include "passes/fold_rules.h"

#include <gmock/gmock.h>

#include <numeric>

#include "graph/infer.h"
#include "graph/ops.h"
#include "passes/passes.h"
#include "passes/test_model.h"

namespace subbyte {
namespace {

using testing::ElementsAre;

// Ascending, from `first` on.
Tensor ascending(std::vector<std::int64_t> dims, float first = 0) {
  Tensor tensor{DType::float32, std::move(dims)};
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  std::iota(values.begin(), values.end(), first);
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return make_tensor(DType::float32, tensor.dims, std::move(bytes));
}

Tensor counted(std::vector<std::int64_t> dims, std::int64_t first = 0) {
  Tensor tensor{DType::int64, dims};
  std::vector<std::int64_t> values(static_cast<std::size_t>(tensor.elements()));
  std::iota(values.begin(), values.end(), first);
  return make_int64_tensor(std::move(dims), values);
}

class Fold : public testing::Test {
 protected:
  Fold() { x_ = t_.input("x", DType::float32, {3, 64}); }

  // The operators that are left.
  std::vector<std::string> folded() {
    const auto inferred = infer(t_.model);
    EXPECT_TRUE(inferred);
    const auto canonical = canonicalize(t_.model);
    EXPECT_TRUE(canonical);
    const auto done = fold_constants(t_.model);
    EXPECT_TRUE(done) << done.error().message;
    std::vector<std::string> ops;
    for (const Node& node : t_.model.main().nodes) ops.push_back(node.op_type);
    return ops;
  }
  void multiply(ValueId weight) {
    t_.output(t_.node(Op::MatMul, {x_, weight}, "y" + std::to_string(count_++)));
  }
  ValueId transposed(ValueId v, const std::string& name) {
    return t_.node(Op::Transpose, {v}, name, {{"perm", std::vector<std::int64_t>{1, 0}}});
  }
  // Columns [first, last) of v.
  ValueId columns(ValueId v, std::int64_t first, std::int64_t last, const std::string& name) {
    const ValueId from = t_.constant(name + "_from", int64s({1}, {first}));
    const ValueId to = t_.constant(name + "_to", int64s({1}, {last}));
    const ValueId axis = t_.constant(name + "_axis", int64s({1}, {1}));
    return t_.node(Op::Slice, {v, from, to, axis}, name);
  }
  ValueId expanded(ValueId v, std::initializer_list<std::int64_t> dims, const std::string& name) {
    const ValueId shape =
        t_.constant(name + "_shape", int64s({static_cast<std::int64_t>(dims.size())}, dims));
    return t_.node(Op::Expand, {v, shape}, name);
  }

  TestModel t_;
  ValueId x_ = kNone;
  int count_ = 0;
};

TEST_F(Fold, AViewAloneIsFolded) {
  multiply(transposed(t_.constant("w", ascending({64, 64})), "t"));
  EXPECT_THAT(folded(), ElementsAre("MatMul"));
}

TEST_F(Fold, AViewOfWhatIsReadWholeIsNot) {
  const ValueId w = t_.constant("w", ascending({64, 64}));
  multiply(w);
  multiply(transposed(w, "t"));
  EXPECT_THAT(folded(), ElementsAre("MatMul", "Transpose", "MatMul"));
  EXPECT_TRUE(t_.model.main().constant(t_.model.main().nodes[1].inputs[0]));
}

TEST_F(Fold, PartsAreFoldedWhereTheyAreNoMoreThanTheWhole) {
  const ValueId w = t_.constant("w", ascending({64, 64}));
  multiply(columns(w, 0, 32, "a"));
  multiply(columns(w, 32, 64, "b"));
  EXPECT_THAT(folded(), ElementsAre("MatMul", "MatMul"));
}

TEST_F(Fold, PartsThatOverlapAreNot) {
  const ValueId w = t_.constant("w", ascending({64, 64}));
  multiply(columns(w, 0, 60, "a"));
  multiply(columns(w, 4, 64, "b"));
  EXPECT_THAT(folded(), ElementsAre("Slice", "MatMul", "Slice", "MatMul"));
}

TEST_F(Fold, EqualResultsCountOnce) {
  const ValueId w = t_.constant("w", ascending({64, 64}));
  multiply(transposed(w, "a"));
  multiply(transposed(w, "b"));
  EXPECT_THAT(folded(), ElementsAre("MatMul", "MatMul"));
}

TEST_F(Fold, AnOutputThatIsAWeightIsCopiedFromIt) {
  const ValueId w = t_.constant("w", ascending({64, 64}));
  multiply(w);
  t_.output(t_.node(Op::Identity, {w}, "o"));
  EXPECT_THAT(folded(), ElementsAre("MatMul", "Identity"));
  ASSERT_TRUE(remove_identities(t_.model));
  EXPECT_EQ(t_.model.main().nodes.size(), 2u);
}

TEST_F(Fold, WhatRepeatsWithinAnAxisIsARule) {
  const ValueId w = t_.constant("w", ascending({16, 1, 64}));
  const ValueId e = expanded(w, {16, 4, 64}, "e");
  const ValueId r = t_.node(Op::Reshape, {e, t_.constant("s", int64s({2}, {64, 64}))}, "r");
  t_.output(t_.node(Op::Add, {t_.input("z", DType::float32, {64, 64}), r}, "y"));
  EXPECT_THAT(folded(), ElementsAre("Expand", "Reshape", "Add"));
}

TEST_F(Fold, SoIsAMaskOfPositions) {
  const ValueId rows = t_.constant("rows", counted({64, 1}));
  const ValueId keys = t_.constant("keys", counted({1, 64}));
  const ValueId seen = t_.node(Op::LessOrEqual, {keys, rows}, "seen");
  const ValueId mask = t_.node(
      Op::Where,
      {seen, t_.constant("nothing", floats({}, {0})), t_.constant("far", floats({}, {-INFINITY}))},
      "mask");
  t_.output(t_.node(Op::Add, {t_.input("z", DType::float32, {64, 64}), mask}, "y"));
  EXPECT_THAT(folded(), ElementsAre("LessOrEqual", "Where", "Add"));
}

TEST_F(Fold, ButNotASmallOne) {
  const ValueId rows = t_.constant("rows", counted({16, 1}));
  const ValueId keys = t_.constant("keys", counted({1, 16}));
  t_.output(t_.node(Op::LessOrEqual, {keys, rows}, "seen"));
  EXPECT_THAT(folded(), ElementsAre());
}

// What a function gives is not the same bits on the GPU, and waves are not worth a kernel where
// they are few; what repeats them is a rule.
TEST_F(Fold, SmallTablesOfWavesStayTables) {
  const ValueId angle = t_.constant("angle", ascending({1, 64}));
  const ValueId position = t_.constant("position", ascending({64, 1}));
  const ValueId wave = t_.node(Op::Sin, {t_.node(Op::Mul, {position, angle}, "product")}, "wave");
  t_.output(t_.node(Op::Add,
                    {t_.input("z", DType::float32, {8, 64, 64}), expanded(wave, {8, 64, 64}, "e")},
                    "y"));
  EXPECT_THAT(folded(), ElementsAre("Expand", "Add"));
}

// Angles of positions, as rotary embeddings have them, [512, 64] each.
class FoldWaves : public Fold {
 protected:
  FoldWaves() {
    const ValueId angle = t_.constant("angle", ascending({1, 64}));
    const ValueId position = t_.constant("position", ascending({512, 1}));
    angles_ = t_.node(Op::Mul, {position, angle}, "angles");
  }
  ValueId angles_ = kNone;
};

TEST_F(FoldWaves, LargeTablesOfWavesAreRules) {
  const ValueId both = t_.node(Op::Concat, {angles_, angles_}, "both", {{"axis", std::int64_t{1}}});
  const ValueId z = t_.input("z", DType::float32, {512, 128});
  const ValueId turned = t_.node(Op::Mul, {z, t_.node(Op::Cos, {both}, "cos")}, "turned");
  t_.output(t_.node(Op::Add, {turned, t_.node(Op::Sin, {both}, "sin")}, "y"));
  EXPECT_THAT(folded(), ElementsAre("Mul", "Concat", "Cos", "Mul", "Sin", "Add"));
  // What is left of the file's constants is what it came with.
  std::int64_t elements = 0;
  for (const Value& value : t_.model.main().values)
    if (value.constant) elements += value.constant->elements();
  EXPECT_EQ(elements, 64 + 512);
}

// Of 512 and 64 numbers each.
TEST_F(FoldWaves, SoAreOtherCurvesAndOuterProducts) {
  const ValueId z = t_.input("z", DType::float32, {512, 64});
  const ValueId small = t_.node(Op::Mul, {angles_, t_.constant("tiny", floats({}, {1e-5f}))}, "s");
  t_.output(t_.node(Op::Add, {z, t_.node(Op::Exp, {small}, "exp")}, "y"));
  const ValueId column = t_.constant("column", ascending({512, 1}, 1));
  const ValueId row = t_.constant("row", ascending({1, 64}, 1));
  t_.output(t_.node(Op::Add, {z, t_.node(Op::MatMul, {column, row}, "outer")}, "y2"));
  EXPECT_THAT(folded(), ElementsAre("Mul", "Mul", "Exp", "Add", "MatMul", "Add"));
}

// It may make more of the last bits that differ.
TEST_F(FoldWaves, ACurveOfACurveIsATable) {
  const ValueId sin = t_.node(Op::Sin, {angles_}, "sin");
  const ValueId z = t_.input("z", DType::float32, {512, 64});
  t_.output(t_.node(Op::Add, {z, t_.node(Op::Exp, {sin}, "exp")}, "y"));
  EXPECT_THAT(folded(), ElementsAre("Add"));
}

TEST_F(Fold, WhatIsFilledAsAnOutputAndWhatMarksPlacesAreRules) {
  t_.output(t_.node(Op::ConstantOfShape, {t_.constant("size", int64s({2}, {64, 64}))}, "filled"));
  const ValueId marks =
      t_.node(Op::OneHot,
              {t_.constant("places", counted({64})), t_.constant("depth", int64s({1}, {64})),
               t_.constant("off_on", floats({2}, {0, 1}))},
              "marks", {{"axis", std::int64_t{-1}}});
  multiply(marks);
  EXPECT_THAT(folded(), ElementsAre("ConstantOfShape", "OneHot", "MatMul"));
}

TEST_F(FoldWaves, NotWhereAProductReadsThem) {
  multiply(t_.node(Op::Transpose, {t_.node(Op::Cos, {angles_}, "cos")}, "matrix",
                   {{"perm", std::vector<std::int64_t>{1, 0}}}));
  EXPECT_THAT(folded(), ElementsAre("MatMul"));
}

// The last bit of a sine may be another on the GPU, and with it the side of a comparison.
TEST_F(FoldWaves, NothingThatJumpsIsARuleAfterThem) {
  const ValueId half = t_.constant("half", floats({}, {0.5}));
  const ValueId above = t_.node(Op::Greater, {t_.node(Op::Sin, {angles_}, "sin"), half}, "above");
  const ValueId z = t_.input("z", DType::float32, {512, 64});
  t_.output(t_.node(Op::Where, {above, z, half}, "y"));
  EXPECT_THAT(folded(), ElementsAre("Where"));
}

// As the biases of relative positions are taken of their table.
TEST_F(Fold, WhatIsTakenOfATableSeveralTimesIsARule) {
  const ValueId table = t_.constant("table", ascending({225, 8}));
  std::vector<std::int64_t> indices(64 * 64);
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::int64_t>(i % 225);
  const ValueId at = t_.constant("at", make_int64_tensor({64, 64}, indices));
  const ValueId taken = t_.node(Op::Gather, {table, at}, "taken", {{"axis", std::int64_t{0}}});
  const ValueId heads =
      t_.node(Op::Transpose, {taken}, "heads", {{"perm", std::vector<std::int64_t>{2, 0, 1}}});
  t_.output(t_.node(Op::Add, {t_.input("z", DType::float32, {8, 64, 64}), heads}, "y"));
  EXPECT_THAT(folded(), ElementsAre("Gather", "Transpose", "Add"));
}

// What is the same everywhere is collapsed instead.
TEST_F(Fold, WhatIsTakenOnceForAllPlacesIsFolded) {
  const ValueId table = t_.constant("table", ascending({2, 64}));
  const ValueId zeros =
      t_.constant("zeros", make_int64_tensor({64}, std::vector<std::int64_t>(64, 0)));
  const ValueId taken = t_.node(Op::Gather, {table, zeros}, "taken", {{"axis", std::int64_t{0}}});
  t_.output(t_.node(Op::Add, {t_.input("z", DType::float32, {64, 64}), taken}, "y"));
  EXPECT_THAT(folded(), ElementsAre("Add"));
}

// As the embeddings of places are, where a model was traced for larger images.
TEST_F(Fold, ATableThatIsEnlargedStaysSmall) {
  const ValueId table = t_.constant("table", ascending({1, 64, 14, 14}));
  const ValueId sizes = t_.constant("sizes", int64s({4}, {1, 64, 24, 24}));
  const ValueId large =
      t_.node(Op::Resize, {table, kNone, kNone, sizes}, "large", {{"mode", std::string("cubic")}});
  t_.output(t_.node(Op::Add, {t_.input("z", DType::float32, {1, 64, 24, 24}), large}, "y"));
  EXPECT_THAT(folded(), ElementsAre("Resize", "Add"));
}

class FoldLowRank : public Fold {
 protected:
  // x_ [3, 64] by W [64, 64] = a b, of rank 16.
  FoldLowRank() {
    a_ = t_.constant("a", ascending({64, 16}));
    b_ = t_.constant("b", ascending({16, 64}, 7));
    product_ = t_.node(Op::MatMul, {a_, b_}, "ab");
  }
  std::int64_t stored() const {
    std::int64_t elements = 0;
    for (const Value& value : t_.model.main().values)
      if (value.constant) elements += value.constant->elements();
    return elements;
  }
  ValueId a_ = kNone, b_ = kNone, product_ = kNone;
};

TEST_F(FoldLowRank, IsMultipliedByOneFactorAfterTheOther) {
  multiply(product_);
  multiply(transposed(product_, "t"));
  EXPECT_THAT(folded(),
              ElementsAre("MatMul", "MatMul", "Transpose", "Transpose", "MatMul", "MatMul"));
  EXPECT_EQ(stored(), 2048);
}

TEST_F(FoldLowRank, InAGemmAndFromTheLeft) {
  t_.output(t_.node(Op::Gemm, {x_, product_}, "g", {{"transB", std::int64_t{1}}}));
  EXPECT_THAT(folded(), ElementsAre("MatMul", "Gemm"));
  EXPECT_EQ(stored(), 2048);
}

TEST_F(FoldLowRank, IsFoldedWhereSomethingElseReadsIt) {
  multiply(product_);
  t_.output(t_.node(Op::Add, {t_.input("z", DType::float32, {64, 64}), product_}, "sum"));
  EXPECT_THAT(folded(), ElementsAre("MatMul", "Add"));
}

TEST_F(FoldLowRank, IsFoldedWhereThatIsLess) {
  multiply(t_.node(Op::MatMul,
                   {t_.constant("c", ascending({64, 40})), t_.constant("d", ascending({40, 64}))},
                   "cd"));
  EXPECT_THAT(folded(), ElementsAre("MatMul"));
}

TEST_F(Fold, IntegersBeyond32BitsStayTables) {
  const ValueId far = t_.constant("far", int64s({1, 1}, {std::int64_t{1} << 40}));
  const ValueId near = t_.constant("near", counted({64, 64}));
  t_.output(t_.node(Op::Less, {near, expanded(far, {64, 64}, "e")}, "y"));
  EXPECT_THAT(folded(), ElementsAre());
}

}  // namespace
}  // namespace subbyte
