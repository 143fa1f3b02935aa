// Views, reshapes, fills, joins.
#include "graph/ops.h"
#include "reference/test_tensors.h"

namespace subbyte::reference {
namespace {

constexpr std::int64_t kMax = INT64_MAX;
constexpr std::int64_t kMin = INT64_MIN;

Attribute ints(std::string name, std::vector<std::int64_t> values) {
  return {std::move(name), std::move(values)};
}
Attribute integer(std::string name, std::int64_t value) { return {std::move(name), value}; }

const Tensor& matrix() {
  static const Tensor tensor = int64s({2, 3}, {0, 1, 2, 3, 4, 5});
  return tensor;
}

TEST(View, Transpose) {
  EXPECT_EQ(text(evaluate_on(make_node(Op::Transpose, {ints("perm", {1, 0})}), {matrix()})),
            "int64 [3, 2] 0 3 1 4 2 5");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Transpose, {ints("perm", {0, 0})}), {matrix()})),
            "error: Transpose: axis 0 comes twice; each axis may be listed once");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Transpose, {ints("perm", {0})}), {matrix()})),
            "error: Transpose: perm has 1 axes and the input has rank 2; they must be equal");
}

TEST(View, SliceClampsAsTheSpecificationSays) {
  const auto slice = [](std::int64_t start, std::int64_t end, std::int64_t step) {
    return text(evaluate_on(make_node(Op::Slice),
                            {int64s({5}, {0, 1, 2, 3, 4}), int64s({1}, {start}), int64s({1}, {end}),
                             int64s({1}, {0}), int64s({1}, {step})}));
  };
  EXPECT_EQ(slice(1, 4, 1), "int64 [3] 1 2 3");
  EXPECT_EQ(slice(-3, kMax, 1), "int64 [3] 2 3 4");
  EXPECT_EQ(slice(kMax, kMin, -1), "int64 [5] 4 3 2 1 0");
  EXPECT_EQ(slice(4, -6, -2), "int64 [3] 4 2 0");
  EXPECT_EQ(slice(0, kMax, kMax), "int64 [1] 0");
  EXPECT_EQ(slice(kMax, kMin, kMin), "int64 [1] 4");
  EXPECT_EQ(slice(3, 1, 1), "int64 [0]");
  EXPECT_EQ(slice(0, 5, 0), "error: Slice: the step of axis 0 is 0; it must not be");
}

TEST(View, SliceOfTheSameAxisTwiceIsAnError) {
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Slice), {matrix(), int64s({2}, {0, 0}), int64s({2}, {1, 1}),
                                              int64s({2}, {1, 1}), int64s({2}, {1, 1})})),
      "error: Slice: axis 1 comes twice; each axis may be listed once");
}

TEST(View, ExpandAndTile) {
  EXPECT_EQ(text(evaluate_on(make_node(Op::Expand), {int64s({2, 1}, {1, 2}), int64s({1}, {2})})),
            "int64 [2, 2] 1 1 2 2");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Tile), {matrix(), int64s({2}, {1, 2})})),
            "int64 [2, 6] 0 1 2 0 1 2 3 4 5 3 4 5");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Tile), {matrix(), int64s({2}, {1, -2})})),
            "error: Tile: axis 1 of length 3 cannot be repeated -2 times");
}

TEST(View, HostileSizesAreErrorsAndNotAllocations) {
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Expand), {int64s({1}, {1}), int64s({2}, {1 << 30, 64})})),
      "error: Expand: an output of shape [1073741824, 64] (int64) would take more than 4294967296 "
      "bytes, the most that subbyte computes for one tensor; make the sizes that this operator is "
      "given smaller");
  EXPECT_EQ(text(evaluate_on(make_node(Op::ConstantOfShape), {int64s({2}, {kMax, kMax})})),
            "error: ConstantOfShape: the shape [9223372036854775807, 9223372036854775807] has more "
            "elements than 64 bits count");
  EXPECT_EQ(text(evaluate_on(make_node(Op::ConstantOfShape), {int64s({3}, {kMax, kMax, 0})})),
            "float32 [9223372036854775807, 9223372036854775807, 0]");
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::ConstantOfShape), {int64s({1}, {-1})})),
      "error: ConstantOfShape: the shape [-1] has a negative dimension; dimensions are at least 0");
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Range),
                       {int64s({}, {kMin}), int64s({}, {kMax}), int64s({}, {1})})),
      "error: Range: an output of shape [9223372036854775807] (int64) would take more than "
      "4294967296 bytes, the most that subbyte computes for one tensor; make the sizes that this "
      "operator is given smaller");
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Tile), {int64s({3}, {1, 2, 3}), int64s({1}, {9})}, 100)),
      "error: Tile: an output of shape [27] (int64) would take more than 100 bytes, the most that "
      "subbyte computes for one tensor; make the sizes that this operator is given smaller");
}

TEST(View, SplitByCountAndByLengths) {
  const Tensor x = int64s({5}, {0, 1, 2, 3, 4});
  EXPECT_EQ(text(evaluate_on(
                make_node(Op::Split, {integer("axis", 0), integer("num_outputs", 2)}, 2), {x})),
            "int64 [3] 0 1 2; int64 [2] 3 4");
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Split, {integer("axis", 0)}, 2), {x, int64s({2}, {1, 4})})),
      "int64 [1] 0; int64 [4] 1 2 3 4");
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Split, {integer("axis", 0)}, 2), {x, int64s({2}, {1, 3})})),
      "error: Split: the lengths [1, 3] do not split axis 0 of length 5 into 2 outputs; they must "
      "be that many, not negative, and add up to the length");
  // The first part uses up the axis, and the next one is longer than what is left.
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Split, {integer("axis", 0)}, 2), {x, int64s({2}, {5, 7})})),
      "error: Split: the lengths [5, 7] do not split axis 0 of length 5 into 2 outputs; they must "
      "be that many, not negative, and add up to the length");
}

TEST(Reshape, SpecialDimensions) {
  const auto reshape = [](Dims shape, std::int64_t allow_zero = 0) {
    const Tensor target = make_int64_tensor({static_cast<std::int64_t>(shape.size())}, shape);
    return text(evaluate_on(make_node(Op::Reshape, {integer("allowzero", allow_zero)}),
                            {matrix(), target}));
  };
  EXPECT_EQ(reshape({-1}), "int64 [6] 0 1 2 3 4 5");
  EXPECT_EQ(reshape({0, 1, -1}), "int64 [2, 1, 3] 0 1 2 3 4 5");
  EXPECT_EQ(
      reshape({4, -1}),
      "error: Reshape: an input of shape [2, 3] cannot take the shape [4, -1]; it has 6 elements");
  EXPECT_EQ(
      reshape({0, 6}, 1),
      "error: Reshape: an input of shape [2, 3] cannot take the shape [0, 6]; it has 6 elements");
  EXPECT_EQ(
      reshape({-1, -1}),
      "error: Reshape: the shape [-1, -1] is not valid; one dimension may be -1, the others are at "
      "least 0");
  EXPECT_EQ(
      reshape({6, 1, 0}),
      "error: Reshape: the shape [6, 1, 0] copies axis 2 of an input of shape [2, 3], which has "
      "none");
  EXPECT_EQ(reshape({kMax, kMax, 6}),
            "error: Reshape: an input of shape [2, 3] cannot take the shape [9223372036854775807, "
            "9223372036854775807, 6]; it has 6 elements");
}

TEST(Reshape, FlattenSqueezeUnsqueeze) {
  const Tensor x = int64s({1, 2, 1}, {7, 8});
  EXPECT_EQ(text(evaluate_on(make_node(Op::Flatten, {integer("axis", 3)}), {x})),
            "int64 [2, 1] 7 8");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Squeeze), {x})), "int64 [2] 7 8");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Squeeze), {x, int64s({1}, {2})})), "int64 [1, 2] 7 8");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Squeeze), {x, int64s({1}, {1})})),
            "error: Squeeze: axis 1 of shape [1, 2, 1] cannot be removed; its length must be 1");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Unsqueeze), {matrix(), int64s({2}, {3, 0})})),
            "int64 [1, 2, 3, 1] 0 1 2 3 4 5");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Unsqueeze), {matrix(), int64s({1}, {3})})),
            "error: Unsqueeze: axis 3 is out of range; a tensor of rank 3 has axes 0 to 2");
}

TEST(Reshape, DropoutKeepsEverything) {
  EXPECT_EQ(text(evaluate_on(make_node(Op::Dropout, {}, 2), {int64s({2}, {1, 2})})),
            "int64 [2] 1 2; bool [2] 1 1");
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Dropout),
                       {floats({1}, {1}), floats({}, {0.5f}), bools({}, {1})})),
      "error: Dropout: training_mode is true, and then elements are dropped at random; export the "
      "model for inference");
}

TEST(Fill, RangeShapeSize) {
  EXPECT_EQ(text(evaluate_on(make_node(Op::Range),
                             {int32s({}, {10}), int32s({}, {4}), int32s({}, {-3})})),
            "int32 [2] 10 7");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Range),
                             {floats({}, {1}), floats({}, {2}), floats({}, {0.3f})})),
            "float32 [4] 1 1.3 1.6 1.9");
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Range), {floats({}, {1}), floats({}, {2}), floats({}, {0})})),
      "error: Range: delta is 0; it must not be");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Shape), {matrix()})), "int64 [2] 2 3");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Shape, {integer("start", 1)}), {matrix()})),
            "int64 [1] 3");
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Shape, {integer("start", 0), integer("end", 0)}), {matrix()})),
      "int64 [0]");
  EXPECT_EQ(text(evaluate_on(make_node(Op::Size), {matrix()})), "int64 [] 6");
  EXPECT_EQ(text(evaluate_on(make_node(Op::ConstantOfShape, {{"value", int32s({1}, {7})}}),
                             {int64s({2}, {1, 2})})),
            "int32 [1, 2] 7 7");
}

TEST(Gather, NegativeIndicesCountFromTheEnd) {
  EXPECT_EQ(text(evaluate_on(make_node(Op::Gather, {integer("axis", 1)}),
                             {matrix(), int64s({1, 2}, {-1, 0})})),
            "int64 [2, 1, 2] 2 0 5 3");
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Gather, {integer("axis", 0)}), {matrix(), int64s({}, {2})})),
      "error: Gather: index 2 is out of range; axis 0 has length 2");
}

TEST(Concat, ShapesMayDifferAlongTheAxis) {
  EXPECT_EQ(text(evaluate_on(make_node(Op::Concat, {integer("axis", 1)}),
                             {matrix(), int64s({2, 1}, {8, 9})})),
            "int64 [2, 4] 0 1 2 8 3 4 5 9");
  EXPECT_EQ(
      text(evaluate_on(make_node(Op::Concat, {integer("axis", 0)}),
                       {matrix(), int64s({2, 1}, {8, 9})})),
      "error: Concat: input 0 is int64 of shape [2, 3] and input 1 is int64 of shape [2, 1]; they "
      "may differ along axis 0 only");
}

}  // namespace
}  // namespace subbyte::reference
