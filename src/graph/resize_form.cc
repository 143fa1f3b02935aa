#include "graph/resize_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/text.h"
#include "graph/node_form.h"

namespace subbyte {
namespace {

template <typename T>
using Named = std::pair<std::string_view, T>;

constexpr std::array<Named<ResizeForm::Mode>, 3> kModes{{{"nearest", ResizeForm::Mode::nearest},
                                                         {"linear", ResizeForm::Mode::linear},
                                                         {"cubic", ResizeForm::Mode::cubic}}};
constexpr std::array<Named<ResizeForm::Coordinates>, 7> kCoordinates{
    {{"half_pixel", ResizeForm::Coordinates::half_pixel},
     {"half_pixel_symmetric", ResizeForm::Coordinates::half_pixel_symmetric},
     {"pytorch_half_pixel", ResizeForm::Coordinates::pytorch_half_pixel},
     {"align_corners", ResizeForm::Coordinates::align_corners},
     {"asymmetric", ResizeForm::Coordinates::asymmetric},
     {"tf_half_pixel_for_nn", ResizeForm::Coordinates::tf_half_pixel_for_nn},
     {"tf_crop_and_resize", ResizeForm::Coordinates::tf_crop_and_resize}}};
constexpr std::array<Named<ResizeForm::Nearest>, 4> kNearest{
    {{"round_prefer_floor", ResizeForm::Nearest::round_prefer_floor},
     {"round_prefer_ceil", ResizeForm::Nearest::round_prefer_ceil},
     {"floor", ResizeForm::Nearest::floor},
     {"ceil", ResizeForm::Nearest::ceil}}};
constexpr std::array<Named<ResizeForm::AspectRatio>, 3> kAspectRatios{
    {{"stretch", ResizeForm::AspectRatio::stretch},
     {"not_larger", ResizeForm::AspectRatio::not_larger},
     {"not_smaller", ResizeForm::AspectRatio::not_smaller}}};

// Sets `into` where the attribute is given; it holds ONNX's default.
template <typename T, std::size_t N>
Expected<void> read(const Node& node, std::string_view attribute,
                    const std::array<Named<T>, N>& words, T& into) {
  const std::string_view given = node.string_or(attribute, "");
  if (node.find(attribute) == nullptr) return {};
  std::string allowed;
  for (const auto& [word, value] : words) {
    if (word == given) {
      into = value;
      return {};
    }
    allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", word);
  }
  return fail("its {} is {}; it must be one of {}", attribute, quoted(given), allowed);
}

}  // namespace

Expected<ResizeForm> resize_form(const Node& node, bool has_scales, bool has_sizes) {
  ResizeForm form;
  SUBBYTE_CHECK_OK(read(node, "mode", kModes, form.mode));
  SUBBYTE_CHECK_OK(read(node, "coordinate_transformation_mode", kCoordinates, form.coordinates));
  SUBBYTE_CHECK_OK(read(node, "nearest_mode", kNearest, form.nearest));
  SUBBYTE_CHECK_OK(read(node, "keep_aspect_ratio_policy", kAspectRatios, form.aspect_ratio));
  form.antialias = node.int_or("antialias", 0) != 0;
  form.excludes_outside = node.int_or("exclude_outside", 0) != 0;
  form.extrapolation = node.float_or("extrapolation_value", form.extrapolation);
  form.cubic_a = node.float_or("cubic_coeff_a", form.cubic_a);
  form.has_sizes = has_sizes;
  form.has_both = has_sizes && !form.crops() && node.has_input(ResizeForm::kRoi) &&
                  node.int_or(kScalesAsRoi, 0) != 0;
  if (has_sizes == has_scales) {
    return fail("it has {}; it must have one of the two",
                has_sizes ? "both scales and sizes" : "neither scales nor sizes");
  }
  return form;
}

Expected<ResizeForm> resize_form(const Node& node) {
  return resize_form(node, node.has_input(ResizeForm::kScales), node.has_input(ResizeForm::kSizes));
}

}  // namespace subbyte
