// What a Resize says: its attributes and which operands it has, decoded once for inference, the
// reference and plans (ONNX, Operators.md, Resize of opset 11 to 19).
#pragma once

#include "graph/graph.h"

namespace subbyte {

struct ResizeForm {
  enum class Mode : std::uint8_t { nearest, linear, cubic };
  enum class Coordinates : std::uint8_t {
    half_pixel,
    half_pixel_symmetric,
    pytorch_half_pixel,
    align_corners,
    asymmetric,
    tf_half_pixel_for_nn,
    tf_crop_and_resize
  };
  enum class Nearest : std::uint8_t { round_prefer_floor, round_prefer_ceil, floor, ceil };
  enum class AspectRatio : std::uint8_t { stretch, not_larger, not_smaller };

  Mode mode = Mode::nearest;
  Coordinates coordinates = Coordinates::half_pixel;
  Nearest nearest = Nearest::round_prefer_floor;
  AspectRatio aspect_ratio = AspectRatio::stretch;  // kept by `sizes` alone
  bool has_sizes = false;                           // operand kSizes rather than kScales
  bool antialias = false, excludes_outside = false;
  // It has the scales that gave its sizes too, in operand kRoi (kScalesAsRoi).
  bool has_both = false;
  float extrapolation = 0, cubic_a = -0.75f;

  // The operands.
  static constexpr std::size_t kRoi = 1, kScales = 2, kSizes = 3;

  // Whether it looks at the part of the input that its roi says.
  bool crops() const { return coordinates == Coordinates::tf_crop_and_resize; }
  bool keeps_ratio() const { return has_sizes && aspect_ratio != AspectRatio::stretch; }
  // Whether an axis of scale 1 passes through.
  bool keeps_unscaled() const {
    return !crops() && coordinates != Coordinates::tf_half_pixel_for_nn;
  }
};

// Fails where an attribute is none of those that ONNX knows, or where it has not exactly one of
// scales and sizes: those that the node names, unless the caller says what there is.
Expected<ResizeForm> resize_form(const Node& node, bool has_scales, bool has_sizes);
Expected<ResizeForm> resize_form(const Node& node);

}  // namespace subbyte
