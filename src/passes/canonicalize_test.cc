#include <gtest/gtest.h>

#include "graph/infer.h"
#include "graph/text.h"
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
  %y : float32 [B, 3] = Squeeze(%x, %y_axes_1)
  %z : float32 [1, B, 3, 1] = Unsqueeze(%y, %z_axes) "u"
  %r : float32 [1, B, 1] = ReduceMean(%z, %r_axes) {keepdims = 0}
  %s : float32 [] = ReduceSum(%z) {keepdims = 0}
  output %s
}
)");
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
  %a : float32 [B, 1] = ReduceSum(%x, %axes)
  %b : float32 [1, 3] = ReduceMean(%x, %b_axes)
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
  %y : float16 [B, 6] = Slice(%x, %y_starts, %y_ends, %y_axes)
  %z : float16 [min(B, 5), 7] = Slice(%x, %z_starts, %z_ends)
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
  %last : float32 [B, 4, S] = Softmax(%x) {axis = -1}
  %negative : float32 [B, 4, S] = LogSoftmax(%x) {axis = -1}
  %default_shape : int64 [3] <B, 4, S> = Shape(%x) "s"
  %default_matrix : float32 [B, S*4] = Flatten(%x) {axis = -2} "s"
  %default_rows : float32 [B, S*4] = Softmax(%default_matrix) {axis = -1} "s"
  %default : float32 [B, 4, S] = Reshape(%default_rows, %default_shape) "s"
  output %default
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
