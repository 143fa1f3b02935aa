#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/infer.h"
#include "graph/text.h"
#include "passes/canonical_form.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

// The lines of the main graph after canonicalize and infer, or the error.
std::string canonical(std::string_view text) {
  auto model = parse_model(text);
  if (!model) return model.error().message;
  if (auto done = verify(*model); !done) return done.error().message;
  if (auto done = canonicalize(*model); !done) return done.error().message;
  if (auto done = verify(*model); !done) return done.error().message;
  EXPECT_GE(model->opset, 18);
  if (auto done = infer(*model); !done) return done.error().message;
  const std::string once = to_text(*model);
  EXPECT_TRUE(canonicalize(*model));
  EXPECT_TRUE(infer(*model));
  EXPECT_EQ(to_text(*model), once);
  const std::size_t graph = once.find("graph ");
  return once.substr(once.find('\n', graph) + 1);
}

TEST(CanonicalizeTest, AxesBecomeInputs) {
  EXPECT_EQ(canonical(R"(model "m" opset 11
graph "main" {
  input %x : float32 [1, B, 3]
  value %y_axes : int64 [1] = {9}
  %y = Squeeze(%x) {axes = [0]}
  %z = Unsqueeze(%y) {axes = [-1, 0]} "u"
  %r = ReduceMean(%z) {axes = [-2], keepdims = 0}
  %s = ReduceSum(%z) {keepdims = 0}
  output %s
})"),
            R"(  input %x : float32 [1, B, 3]
  value %y_axes : int64 [1] = {9}
  value %y_axes_1 : int64 [1] = {0}
  value %z_axes : int64 [2] = {-1, 0}
  value %r_axes : int64 [1] = {-2}
  value %z_axes_1 : int64 [2] = {0, 3}
  value %r_axes_1 : int64 [1] = {2}
  value %s_axes : int64 [4] = {0, 1, 2, 3}
  %y : float32 [B, 3] = Squeeze(%x, %y_axes_1)
  %z : float32 [1, B, 3, 1] = Unsqueeze(%y, %z_axes_1) "u"
  %r : float32 [1, B, 1] = ReduceMean(%z, %r_axes_1) {keepdims = 0}
  %s : float32 [] = ReduceSum(%z, %s_axes) {keepdims = 0}
  output %s
}
)");
}

TEST(CanonicalizeTest, WindowsAreChecked) {
  const auto problem = [](const std::string& attributes) {
    auto model = parse_model(
        "model \"m\" opset 18\ngraph \"main\" {\n"
        "  input %x : float32 [1, 2, H, W]\n  %y = MaxPool(%x) {" +
        attributes + "}\n  output %y\n}");
    EXPECT_TRUE(model);
    auto done = check_canonical(*model);
    return done ? std::string() : done.error().message;
  };
  EXPECT_EQ(problem("dilations = [1, 1], kernel_shape = [3, 3], pads = [0, 0, 0, 0], "
                    "strides = [1, 1]"),
            "");
  EXPECT_EQ(problem("kernel_shape = [3, 3], pads = [0, 0, 0, 0], strides = [1, 1]"),
            "node 0 (MaxPool): its dilations is not said");
  EXPECT_EQ(problem("dilations = [1, 1], kernel_shape = [3, 3], pads = [0, 0], strides = [1, 1]"),
            "node 0 (MaxPool): its pads has 2 elements; there must be 4");
}

TEST(CanonicalizeTest, EachOpsetHasItsOwnForm) {
  // Opset 13 has axes of ReduceSum as an input and those of ReduceMean as an attribute.
  EXPECT_EQ(canonical(R"(model "m" opset 13
graph "main" {
  input %x : float32 [B, 3]
  value %axes : int64 [1] = {1}
  %a = ReduceSum(%x, %axes)
  %b = ReduceMean(%x) {axes = [0]}
  %c, %d = Split(%x) {axis = 1}
  %e = Softmax(%x) {axis = 0}
  output %a
})"),
            R"(  input %x : float32 [B, 3]
  value %axes : int64 [1] = {1}
  value %b_axes : int64 [1] = {0}
  %a : float32 [B, 1] = ReduceSum(%x, %axes) {keepdims = 1}
  %b : float32 [1, 3] = ReduceMean(%x, %b_axes) {keepdims = 1}
  %c : float32 [B, 2], %d : float32 [B, 1] = Split(%x) {axis = 1, num_outputs = 2}
  %e : float32 [B, 3] = Softmax(%x) {axis = 0}
  output %a
}
)");
}

TEST(CanonicalizeTest, SliceSplitDropoutAndClip) {
  EXPECT_EQ(canonical(R"(model "m" opset 9
graph "main" {
  input %x : float16 [B, 8]
  %y = Slice(%x) {starts = [1], ends = [-1], axes = [1]}
  %z = Slice(%x) {starts = [0, 1], ends = [5, 9223372036854775807]}
  %a, %b = Split(%x) {axis = 1, split = [2, 6]}
  %d = Dropout(%a) {ratio = 0.25f}
  %c = Clip(%d) {min = 0f, max = 6f}
  %upper = Clip(%d) {max = 6f}
  output %c
})"),
            R"(  input %x : float16 [B, 8]
  value %y_starts : int64 [1] = {1}
  value %y_ends : int64 [1] = {-1}
  value %y_axes : int64 [1] = {1}
  value %z_starts : int64 [2] = {0, 1}
  value %z_ends : int64 [2] = {5, 9223372036854775807}
  value %a_split : int64 [2] = {2, 6}
  value %d_ratio : float32 [] = {0.25}
  value %c_min : float16 [] = {0}
  value %c_max : float16 [] = {6}
  value %upper_max : float16 [] = {6}
  value %y_steps : int64 [1] = {1}
  value %z_axes : int64 [2] = {0, 1}
  value %z_steps : int64 [2] = {1, 1}
  %y : float16 [B, 6] = Slice(%x, %y_starts, %y_ends, %y_axes, %y_steps)
  %z : float16 [min(B, 5), 7] = Slice(%x, %z_starts, %z_ends, %z_axes, %z_steps)
  %a : float16 [B, 2], %b : float16 [B, 6] = Split(%x, %a_split) {axis = 1}
  %d : float16 [B, 2] = Dropout(%a, %d_ratio)
  %c : float16 [B, 2] = Clip(%d, %c_min, %c_max)
  %upper : float16 [B, 2] = Clip(%d, -, %upper_max)
  output %c
}
)");
}

TEST(CanonicalizeTest, SoftmaxOfMatrix) {
  EXPECT_EQ(canonical(R"(model "m" opset 12
graph "main" {
  input %x : float32 [B, 4, S]
  %last = Softmax(%x) {axis = 2}
  %negative = LogSoftmax(%x) {axis = -1}
  %default = Softmax(%x) "s"
  output %default
})"),
            R"(  input %x : float32 [B, 4, S]
  %last : float32 [B, 4, S] = Softmax(%x) {axis = 2}
  %negative : float32 [B, 4, S] = LogSoftmax(%x) {axis = 2}
  %default_shape : int64 [3] <B, 4, S> = Shape(%x) "s"
  %default_matrix : float32 [B, S*4] = Flatten(%x) {axis = 1} "s"
  %default_rows : float32 [B, S*4] = Softmax(%default_matrix) {axis = 1} "s"
  %default : float32 [B, 4, S] = Reshape(%default_rows, %default_shape) "s"
  output %default
}
)");
}

// Each rule sees the shapes of what the rules before it have added.
TEST(CanonicalizeTest, HardmaxOfMatrix) {
  EXPECT_EQ(canonical(R"(model "m" opset 11
graph "main" {
  input %x : float32 [2, 3, 4]
  %y = Hardmax(%x) {axis = 1}
  output %y
})"),
            R"(  input %x : float32 [2, 3, 4]
  value %y_rows_depth_axis : int64 [1] = {1}
  value %y_rows_levels : float32 [2] = {0, 1}
  %y_shape : int64 [3] <2, 3, 4> = Shape(%x)
  %y_matrix : float32 [2, 12] = Flatten(%x) {axis = 1}
  %y_rows_place : int64 [2] = ArgMax(%y_matrix) {axis = 1, keepdims = 0}
  %y_rows_sizes : int64 [2] <2, 12> = Shape(%y_matrix)
  %y_rows_depth : int64 [1] <12> = Gather(%y_rows_sizes, %y_rows_depth_axis) {axis = 0}
  %y_rows : float32 [2, 12] = OneHot(%y_rows_place, %y_rows_depth, %y_rows_levels) {axis = 1}
  %y : float32 [2, 3, 4] = Reshape(%y_rows, %y_shape)
  output %y
}
)");
}

TEST(CanonicalizeTest, PadsAreThoseOfAllAxes) {
  EXPECT_EQ(canonical(R"(model "m" opset 10
graph "main" {
  input %x : float16 [B, 3]
  %y = Pad(%x) {pads = [0, 1, 0, 2], value = 1.5f}
  output %y
})"),
            R"(  input %x : float16 [B, 3]
  value %y_pads : int64 [4] = {0, 1, 0, 2}
  value %y_value : float16 [] = {1.5}
  %y : float16 [B, 6] = Pad(%x, %y_pads, %y_value) {mode = "constant"}
  output %y
}
)");
  EXPECT_EQ(canonical(R"(model "m" opset 18
graph "main" {
  input %x : int32 [B, 3, 4]
  input %p : int64 [2]
  value %two : int64 [4] = {1, 2, 3, 4}
  value %axes : int64 [2] = {-1, 0}
  value %last : int64 [1] = {-1}
  %a = Pad(%x, %two, -, %axes)
  %b = Pad(%x, %two, -, %axes) {mode = "edge"}
  %c = Pad(%x, %p, -, %last)
  output %a
  output %b
  output %c
})"),
            R"(  input %x : int32 [B, 3, 4]
  input %p : int64 [2] <`p[0]`, `p[1]`>
  value %two : int64 [4] = {1, 2, 3, 4}
  value %axes : int64 [2] = {-1, 0}
  value %last : int64 [1] = {-1}
  value %a_pads : int64 [6] = {2, 0, 1, 4, 0, 3}
  value %a_value : int32 [] = {0}
  value %b_pads : int64 [6] = {2, 0, 1, 4, 0, 3}
  value %c_no_pad : int64 [1] = {0}
  value %c_places : int64 [6] = {2, 2, 0, 2, 2, 1}
  value %c_value : int32 [] = {0}
  %a : int32 [B + 6, 3, 8] = Pad(%x, %a_pads, %a_value) {mode = "constant"}
  %b : int32 [B + 6, 3, 8] = Pad(%x, %b_pads) {mode = "edge"}
  %c_pads_and_0 : int64 [3] <`p[0]`, `p[1]`, 0> = Concat(%p, %c_no_pad) {axis = 0}
  %c_pads : int64 [6] <0, 0, `p[0]`, 0, 0, `p[1]`> = Gather(%c_pads_and_0, %c_places) {axis = 0}
  %c : int32 [B, 3, max(`p[0]` + `p[1]` + 4, 0)] = Pad(%x, %c_pads, %c_value) {mode = "constant"}
  output %a
  output %b
  output %c
}
)");
}

TEST(CanonicalizeTest, AxesCountFromTheFront) {
  EXPECT_EQ(canonical(R"(model "m" opset 18
graph "main" {
  input %x : float32 [B, 3, 1]
  input %i : int64 [2]
  value %starts : int32 [1] = {-2}
  value %ends : int32 [1] = {7}
  value %last : int32 [1] = {-2}
  value %axis : int64 [] = {-3}
  value %none : int64 [0] = {}
  value %depth : int64 [] = {3}
  value %levels : float32 [2] = {0, 1}
  value %sizes : int64 [2] = {4, 5}
  %a = Transpose(%x)
  %b = Slice(%x, %starts, %ends, %last)
  %c = CumSum(%x, %axis)
  %d = ReduceSum(%x, %none) {noop_with_empty_axes = 1}
  %e = OneHot(%i, %depth, %levels)
  %f = ArgMax(%x)
  %g = Concat(%x, %x) {axis = -2}
  %h = Resize(%x, -, -, %sizes) {axes = [-1, 1]}
  %j = Flatten(%x) {axis = 3}
  %k = Squeeze(%x)
  %l = Shape(%x) {start = -2}
  %m = Shape(%x) {end = -9}
  output %a
})"),
            R"(  input %x : float32 [B, 3, 1]
  input %i : int64 [2]
  value %starts : int32 [1] = {-2}
  value %ends : int32 [1] = {7}
  value %last : int32 [1] = {-2}
  value %axis : int64 [] = {-3}
  value %none : int64 [0] = {}
  value %depth : int64 [] = {3}
  value %levels : float32 [2] = {0, 1}
  value %sizes : int64 [2] = {4, 5}
  value %b_axes : int32 [1] = {1}
  value %b_steps : int32 [1] = {1}
  value %c_axis : int64 [] = {0}
  %a : float32 [1, 3, B] = Transpose(%x) {perm = [2, 1, 0]}
  %b : float32 [B, 2, 1] = Slice(%x, %starts, %ends, %b_axes, %b_steps)
  %c : float32 [B, 3, 1] = CumSum(%x, %c_axis)
  %d : float32 [B, 3, 1] = ReduceSum(%x, %none) {noop_with_empty_axes = 1, keepdims = 1}
  %e : float32 [2, 3] = OneHot(%i, %depth, %levels) {axis = 1}
  %f : int64 [1, 3, 1] = ArgMax(%x) {axis = 0, keepdims = 1}
  %g : float32 [B, 6, 1] = Concat(%x, %x) {axis = 1}
  %h : float32 [B, 5, 4] = Resize(%x, -, -, %sizes) {axes = [2, 1]}
  %j : float32 [B*3, 1] = Flatten(%x) {axis = 3}
  %k : float32 [B, 3] = Squeeze(%x)
  %l : int64 [2] <3, 1> = Shape(%x) {start = 1, end = 3}
  %m : int64 [0] <> = Shape(%x) {end = 0, start = 0}
  output %a
}
)");
}

TEST(CanonicalizeTest, UpsampleAndOldResizesBecomeResize) {
  EXPECT_EQ(canonical(R"(model "m" opset 9
graph "main" {
  input %x : float32 [1, 2, 4, H]
  value %scales : float32 [4] = {1, 1, 2, 2}
  %p = Pad(%x) {mode = "constant", pads = [0, 0, 1, 1, 0, 0, 1, 1], value = 1.5f}
  %u = Upsample(%p, %scales) {mode = "nearest"}
  %other = "com.example":: "Squeeze"(%u) {axes = [1]}
  output %other
})"),
            R"(  input %x : float32 [1, 2, 4, H]
  value %scales : float32 [4] = {1, 1, 2, 2}
  value %p_pads : int64 [8] = {0, 0, 1, 1, 0, 0, 1, 1}
  value %p_value : float32 [] = {1.5}
  %p : float32 [1, 2, 6, H + 2] = Pad(%x, %p_pads, %p_value) {mode = "constant"}
  %u : float32 [1, 2, 12, H*2 + 4] = Resize(%p, -, %scales) {mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"}
  %other = "com.example"::"Squeeze"(%u) {axes = [1]}
  output %other
}
)");
  EXPECT_EQ(canonical(R"(model "m" opset 10
graph "main" {
  input %x : float32 [8]
  value %scales : float32 [1] = {0.25}
  %y = Resize(%x, %scales)
  output %y
})"),
            R"(  input %x : float32 [8]
  value %scales : float32 [1] = {0.25}
  %y : float32 [2] = Resize(%x, -, %scales) {coordinate_transformation_mode = "asymmetric", nearest_mode = "ceil"}
  output %y
}
)");
  EXPECT_EQ(canonical(R"(model "m" opset 11
graph "main" {
  input %x : float32 [8]
  value %roi : float32 [2] = {0, 1}
  value %none : float32 [0] = {}
  value %sizes : int64 [1] = {4}
  %y = Resize(%x, %roi, %none, %sizes) {coordinate_transformation_mode = "tf_half_pixel_for_nn", nearest_mode = "floor"}
  output %y
})"),
            R"(  input %x : float32 [8]
  value %roi : float32 [2] = {0, 1}
  value %none : float32 [0] = {}
  value %sizes : int64 [1] = {4}
  %y : float32 [4] = Resize(%x, -, -, %sizes) {coordinate_transformation_mode = "half_pixel", nearest_mode = "round_prefer_ceil"}
  output %y
}
)");
}

// What the nearest is of an axis up and an axis down opset 10 does not say; of a mean it need not.
TEST(CanonicalizeTest, OldResizesUpAndDown) {
  const auto resized = [](const std::string& mode) {
    return canonical(R"(model "m" opset 10
graph "main" {
  input %x : float32 [8, 8]
  value %scales : float32 [2] = {0.5, 2}
  %y = Resize(%x, %scales) {mode = ")" +
                     mode + R"("}
  output %y
})");
  };
  EXPECT_EQ(resized("linear"), R"(  input %x : float32 [8, 8]
  value %scales : float32 [2] = {0.5, 2}
  %y : float32 [4, 16] = Resize(%x, -, %scales) {mode = "linear", coordinate_transformation_mode = "asymmetric"}
  output %y
}
)");
  EXPECT_THAT(resized("nearest"), testing::HasSubstr("it scales one axis up and another down, to "
                                                     "the nearest element"));
}

TEST(CanonicalizeTest, ScatterIsScatterElements) {
  EXPECT_EQ(canonical(R"(model "m" opset 9
graph "main" {
  input %x : float32 [8]
  input %i : int64 [2]
  input %u : float32 [2]
  %y = Scatter(%x, %i, %u) {axis = 0}
  output %y
})"),
            R"(  input %x : float32 [8]
  input %i : int64 [2]
  input %u : float32 [2]
  %y : float32 [8] = ScatterElements(%x, %i, %u) {axis = 0}
  output %y
}
)");
}

TEST(CanonicalizeTest, ErrorsNameTheNode) {
  EXPECT_EQ(canonical(R"(model "m" opset 11
graph "main" {
  input %x : float32 [B, 3]
  %y = Unsqueeze(%x) "u"
  output %y
})"),
            "node 'u' (Unsqueeze): its attribute 'axes' is missing");
  EXPECT_EQ(canonical(R"(model "m" opset 9
graph "main" {
  input %x : float32 [B, 3]
  %y = Slice(%x) {starts = [0]}
  output %y
})"),
            "node 0 (Slice): its attribute 'ends' is missing");
  EXPECT_EQ(canonical(R"(model "m" opset 9
graph "main" {
  input %x : float32 [4, 4]
  value %scales : float32 [2] = {0.5, 2}
  %y = Upsample(%x, %scales)
  output %y
})"),
            "node 0 (Upsample): it scales one axis up and another down, to the nearest element; "
            "export the model with opset 11 or later, which says what that is");
  EXPECT_EQ(canonical(R"(model "m" opset 13
graph "main" {
  input %x : float32 [4, 4]
  value %scales : float32 [2] = {2, 2}
  %y = Upsample(%x, %scales)
  output %y
})"),
            "node 0 (Upsample): Upsample left ONNX in opset 10; Resize is what it was");
  EXPECT_EQ(canonical(R"(model "m" opset 18
graph "main" {
  input %x : float32 [B, 3, 4]
  input %w : float32 [1, 3, 2]
  %y = Conv(%x, %w) {dilations = [0]} "c"
  output %y
})"),
            "node 'c' (Conv): an element of its dilations is 0; it must be in [1, 2147483647]");
}

}  // namespace
}  // namespace subbyte
