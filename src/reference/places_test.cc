// Operators that move elements by indices, find them, or make them between others.
#include "graph/ops.h"
#include "reference/test_tensors.h"

namespace subbyte::reference {
namespace {

Attribute integer(std::string name, std::int64_t value) { return {std::move(name), value}; }
Attribute word(std::string name, std::string value) { return {std::move(name), std::move(value)}; }

std::string run(Op op, std::vector<std::optional<Tensor>> inputs,
                std::vector<Attribute> attributes = {}) {
  return text(evaluate_on(make_node(op, std::move(attributes)), std::move(inputs)));
}

TEST(Scatter, ElementsInOrder) {
  const Tensor x = floats({3}, {1, 2, 3}), i = int64s({3}, {0, -1, 0}),
               u = floats({3}, {10, 20, 30});
  EXPECT_EQ(run(Op::ScatterElements, {x, i, u}, {integer("axis", 0)}), "float32 [3] 30 2 20");
  EXPECT_EQ(run(Op::ScatterElements, {x, i, u}, {integer("axis", 0), word("reduction", "add")}),
            "float32 [3] 41 2 23");
  EXPECT_EQ(run(Op::ScatterElements, {x, i, u}, {integer("axis", 0), word("reduction", "min")}),
            "float32 [3] 1 2 3");
  EXPECT_EQ(
      run(Op::ScatterElements, {x, i, u}, {integer("axis", 0), word("reduction", "mean")}),
      "error: ScatterElements: its reduction is 'mean'; it must be none, add, mul, min or max");
  EXPECT_EQ(run(Op::ScatterElements, {x, int64s({1}, {3}), floats({1}, {0})}, {integer("axis", 0)}),
            "error: ScatterElements: index 3 is out of range; axis 0 has length 3");
}

TEST(Scatter, Slices) {
  const Tensor x = floats({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(run(Op::ScatterND, {x, int64s({1, 1}, {1}), floats({1, 2}, {7, 8})}),
            "float32 [2, 2] 1 2 7 8");
  EXPECT_EQ(run(Op::ScatterND, {x, int64s({2, 2}, {0, 1, 1, 0}), floats({2}, {7, 8})}),
            "float32 [2, 2] 1 7 8 4");
  EXPECT_EQ(run(Op::ScatterND, {x, int64s({1, 1}, {1}), floats({1, 3}, {7, 8, 9})}),
            "error: ScatterND: the shapes [2, 2], [1, 1], [1, 3] do not go together");
}

TEST(Gather, ElementsAndTuples) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(run(Op::GatherElements, {x, int64s({2, 1}, {2, -3})}, {integer("axis", 1)}),
            "float32 [2, 1] 3 4");
  EXPECT_EQ(run(Op::GatherND, {x, int64s({2, 1}, {1, 0})}), "float32 [2, 3] 4 5 6 1 2 3");
  EXPECT_EQ(run(Op::GatherND, {x, int64s({2, 1}, {1, -1})}, {integer("batch_dims", 1)}),
            "float32 [2] 2 6");
  EXPECT_EQ(run(Op::GatherND, {x, int64s({1, 2}, {0, 3})}),
            "error: GatherND: index 3 is out of range; axis 1 has length 3");
}

TEST(Places, ArgMaxTakesTheFirstOrTheLast) {
  const Tensor x = floats({2, 3}, {5, 1, 5, 2, 2, 1});
  EXPECT_EQ(run(Op::ArgMax, {x}, {integer("axis", 1)}), "int64 [2, 1] 0 0");
  EXPECT_EQ(run(Op::ArgMax, {x}, {integer("axis", 1), integer("select_last_index", 1)}),
            "int64 [2, 1] 2 1");
  EXPECT_EQ(run(Op::ArgMin, {x}, {integer("axis", 0), integer("keepdims", 0)}), "int64 [3] 1 0 1");
  EXPECT_EQ(run(Op::ArgMin, {floats({0, 1}, {})}, {integer("axis", 0)}),
            "error: ArgMin: axis 0 of shape [0, 1] is empty; there must be an element to find");
}

TEST(Places, CumSumBothWays) {
  const Tensor x = floats({4}, {1, 2, 3, 4}), axis = int64s({}, {0});
  EXPECT_EQ(run(Op::CumSum, {x, axis}), "float32 [4] 1 3 6 10");
  EXPECT_EQ(run(Op::CumSum, {x, axis}, {integer("exclusive", 1)}), "float32 [4] 0 1 3 6");
  EXPECT_EQ(run(Op::CumSum, {x, axis}, {integer("exclusive", 1), integer("reverse", 1)}),
            "float32 [4] 9 7 4 0");
  EXPECT_EQ(run(Op::CumSum, {x, int64s({1}, {1})}),
            "error: CumSum: axis 1 is out of range; a tensor of rank 1 has axes 0 to 0");
}

TEST(Places, OneHotEyeAndTriangle) {
  EXPECT_EQ(run(Op::OneHot, {int64s({3}, {1, -1, 7}), int64s({}, {2}), floats({2}, {5, 9})},
                {integer("axis", 1)}),
            "float32 [3, 2] 5 9 5 9 5 5");
  EXPECT_EQ(run(Op::OneHot, {int64s({2}, {1, 0}), floats({}, {2}), int64s({2}, {0, 1})},
                {integer("axis", 0)}),
            "int64 [2, 2] 0 1 1 0");
  EXPECT_EQ(
      run(Op::EyeLike, {int64s({2, 2}, {5, 5, 5, 5})}, {integer("k", 1), integer("dtype", 1)}),
      "float32 [2, 2] 0 1 0 0");
  const Tensor x = floats({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(run(Op::Trilu, {x}), "float32 [2, 2] 1 2 0 4");
  EXPECT_EQ(run(Op::Trilu, {x, int64s({}, {-1})}, {integer("upper", 0)}), "float32 [2, 2] 0 0 3 0");
  EXPECT_EQ(run(Op::Trilu, {x, int64s({}, {INT64_MIN})}), "float32 [2, 2] 1 2 3 4");
}

TEST(Places, BlocksAndChannels) {
  const Tensor x = floats({1, 4, 1, 1}, {1, 2, 3, 4});
  EXPECT_EQ(run(Op::DepthToSpace, {x}, {integer("blocksize", 2)}), "float32 [1, 1, 2, 2] 1 2 3 4");
  const Tensor y = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(run(Op::SpaceToDepth, {y}, {integer("blocksize", 2)}), "float32 [1, 4, 1, 1] 1 2 3 4");
  EXPECT_EQ(run(Op::SpaceToDepth, {y}, {integer("blocksize", 3)}),
            "error: SpaceToDepth: the shape [1, 1, 2, 2] does not divide into blocks of 3");
}

TEST(Pad, Modes) {
  const Tensor x = floats({3}, {1, 2, 3});
  const auto pad = [&](std::string mode, Tensor pads) {
    return run(Op::Pad, {x, std::move(pads)}, {word("mode", std::move(mode))});
  };
  EXPECT_EQ(pad("constant", int64s({2}, {1, 2})), "float32 [6] 0 1 2 3 0 0");
  EXPECT_EQ(pad("reflect", int64s({2}, {2, 3})), "float32 [8] 3 2 1 2 3 2 1 2");
  EXPECT_EQ(pad("edge", int64s({2}, {1, -1})), "float32 [3] 1 1 2");
  EXPECT_EQ(pad("wrap", int64s({2}, {1, 4})), "float32 [8] 3 1 2 3 1 2 3 1");
  EXPECT_EQ(pad("reflect", int64s({2}, {-1, 2})), "float32 [4] 2 3 2 3");
  EXPECT_EQ(run(Op::Pad, {x, int64s({2}, {1, 0}), floats({}, {7})}), "float32 [4] 7 1 2 3");
  EXPECT_EQ(pad("edge", int64s({2}, {-3, 1})),
            "error: Pad: pads of -3 and 1 around axis 0 of size 3 leave nothing to fill it with");
  EXPECT_EQ(pad("constant", int64s({2}, {INT64_MAX, INT64_MAX})).substr(0, 42),
            "error: Pad: an output of shape [9223372036");
}

TEST(Resize, ScalesAndSizes) {
  const Tensor x = floats({2}, {1, 3});
  const auto none = std::optional<Tensor>();
  EXPECT_EQ(run(Op::Resize, {x, none, floats({1}, {2})}, {word("mode", "linear")}),
            "float32 [4] 1 1.5 2.5 3");
  EXPECT_EQ(run(Op::Resize, {x, none, none, int64s({1}, {3})},
                {word("mode", "linear"), word("coordinate_transformation_mode", "align_corners")}),
            "float32 [3] 1 2 3");
  EXPECT_EQ(
      run(Op::Resize, {x, none, none, int64s({1}, {5})},
          {word("coordinate_transformation_mode", "asymmetric"), word("nearest_mode", "floor")}),
      "float32 [5] 1 1 1 3 3");
  EXPECT_EQ(run(Op::Resize, {x, floats({2}, {0, 2}), none, int64s({1}, {3})},
                {word("mode", "linear"),
                 word("coordinate_transformation_mode", "tf_crop_and_resize"),
                 {"extrapolation_value", 9.0f}}),
            "float32 [3] 1 3 9");
  EXPECT_EQ(run(Op::Resize, {x, none, floats({1}, {-1})}),
            "error: Resize: size 2 times its scale -1 is -2; that is no size");
  EXPECT_EQ(run(Op::Resize, {x}),
            "error: Resize: it has neither scales nor sizes; it must have one of the two");
  EXPECT_EQ(run(Op::Resize, {floats({0}, {}), none, none, int64s({1}, {3})}),
            "error: Resize: axis 0 of shape [0] is empty; nothing can be made larger of it");
}

TEST(Channels, Normalisations) {
  const Tensor x = floats({1, 2, 2}, {1, 3, 10, 30});
  EXPECT_EQ(run(Op::BatchNormalization,
                {x, floats({2}, {1, 2}), floats({2}, {0, 1}), floats({2}, {1, 10}),
                 floats({2}, {4, 100})},
                {{"epsilon", 0.0f}}),
            "float32 [1, 2, 2] 0 1 1 5");
  EXPECT_EQ(run(Op::InstanceNormalization, {x, floats({2}, {1, 2}), floats({2}, {0, 1})},
                {{"epsilon", 0.0f}}),
            "float32 [1, 2, 2] -1 1 -1 3");
  EXPECT_EQ(run(Op::GlobalAveragePool, {x}), "float32 [1, 2, 1] 2 20");
  EXPECT_EQ(run(Op::GlobalMaxPool, {x}), "float32 [1, 2, 1] 3 30");
  EXPECT_EQ(run(Op::LpNormalization, {floats({2, 2}, {3, 4, 0, 0})}, {integer("axis", 1)}),
            "float32 [2, 2] 0.6 0.8 0 0");
  EXPECT_EQ(run(Op::Hardmax, {floats({3}, {1, 2, 2})}, {integer("axis", 0)}), "float32 [3] 0 1 0");
  EXPECT_EQ(run(Op::InstanceNormalization, {x, floats({1}, {1}), floats({2}, {0, 1})}),
            "error: InstanceNormalization: input 1 is float32 of shape [1]; it must be floats of "
            "shape [2]");
}

}  // namespace
}  // namespace subbyte::reference
