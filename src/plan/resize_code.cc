#include "plan/resize_code.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "graph/node_form.h"

namespace subbyte {

namespace {

// Sizes that stand in for scales: those that are given, or those of the result where the scales are
// computed; none where scales are given.
std::optional<std::vector<Expr>> wanted_sizes(const Graph& graph, const Node& node,
                                              const ResizeForm& form) {
  if (form.has_sizes) {
    if (const auto& given = graph.values[node.inputs[ResizeForm::kSizes]].content) return given;
  } else if (graph.constant(node.inputs[ResizeForm::kScales]) != nullptr) {
    return std::nullopt;
  }
  const auto& out = *graph.values[node.outputs[0]].shape;
  std::vector<Expr> sizes;
  for (const std::size_t axis : resized_axes(node, out.size())) sizes.push_back(out[axis]);
  return sizes;
}

// By axis; none where a scale follows from sizes that are not known when converting.
std::vector<std::optional<float>> known_scales(const ExprPool& exprs, const Graph& graph,
                                               const Node& node, const ResizeForm& form) {
  const auto& in = *graph.values[node.inputs[0]].shape;
  const auto axes = resized_axes(node, in.size());
  std::vector<std::optional<float>> scales(in.size(), 1.0f);
  if (form.has_both) {
    for (const std::size_t axis : axes) scales[axis].reset();
    return scales;
  }
  const auto sizes = wanted_sizes(graph, node, form);
  if (!sizes) {
    const Tensor& given = *graph.constant(node.inputs[ResizeForm::kScales]);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      scales[axes[i]].reset();
      if (i >= static_cast<std::size_t>(given.elements())) continue;
      float scale = 1;
      read_floats(given, static_cast<std::int64_t>(i), 1, &scale);
      scales[axes[i]] = scale;
    }
    return scales;
  }
  const bool smallest = form.aspect_ratio == ResizeForm::AspectRatio::not_larger;
  std::optional<float> common;
  bool all = true;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Expr size = in[axes[i]];
    const auto from = exprs.value(size), to = exprs.value((*sizes)[i]);
    scales[axes[i]].reset();
    if (from && to && *from != 0)
      scales[axes[i]] = static_cast<float>(*to) / static_cast<float>(*from);
    if (size == (*sizes)[i]) scales[axes[i]] = 1.0f;
    const auto& scale = scales[axes[i]];
    all = all && scale;
    if (scale)
      common = !common ? *scale : smallest ? std::min(*common, *scale) : std::max(*common, *scale);
  }
  if (!form.keeps_ratio()) return scales;
  for (const std::size_t axis : axes) scales[axis] = all ? common : std::nullopt;
  return scales;
}

// a / b rounded as IEEE 754 does.
std::string quotient(const std::string& a, const std::string& b, std::optional<float> known_b) {
  int exponent = 0;
  if (known_b && std::isnormal(*known_b) && std::frexp(*known_b, &exponent) == 0.5f) {
    if (*known_b == 1.0f) return a;
    return fmt::format("{} * {}", a, f32_literal(1.0f / *known_b));
  }
  return fmt::format("resample_quotient({}, {})", a, b);
}

// WGSL's, or one of kernels/resample.wgsl.
const char* rounding_function(ResizeForm::Nearest nearest) {
  switch (nearest) {
    case ResizeForm::Nearest::floor:
      return "floor";
    case ResizeForm::Nearest::ceil:
      return "ceil";
    case ResizeForm::Nearest::round_prefer_ceil:
      return "resample_round_up";
    case ResizeForm::Nearest::round_prefer_floor:
      break;
  }
  return "resample_round_down";
}

std::string ratio(StepCode& code, Expr to, Expr from) {
  return fmt::format("resample_quotient(f32({}), f32({}))", code.size(to), code.size(from));
}

// WGSL of the scale of one axis.
std::string scale_text(const Graph& graph, const Node& node, const ResizeForm& form, StepCode& code,
                       Scope& scope, std::size_t axis, std::optional<float> known) {
  if (known) return f32_literal(*known);
  if (form.has_both) return "";  // read where the element is computed
  const auto& in = *graph.values[node.inputs[0]].shape;
  const auto axes = resized_axes(node, in.size());
  const auto sizes = wanted_sizes(graph, node, form);
  if (!sizes) return "1.0f";
  std::string common;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (!form.keeps_ratio() && axes[i] != axis) continue;
    const std::string scale = scope.let(ratio(code, (*sizes)[i], in[axes[i]]));
    const bool smallest = form.aspect_ratio == ResizeForm::AspectRatio::not_larger;
    common = common.empty()
                 ? scale
                 : scope.let(fmt::format("{}({}, {})", smallest ? "min" : "max", common, scale));
  }
  return common;
}

}  // namespace

Expected<ResizePlan> resize_plan(const Graph& graph, const Node& node, ValueId output,
                                 StepCode& code, Scope& scope) {
  const auto& in = *graph.values[node.inputs[0]].shape;
  const auto& out = *graph.values[output].shape;
  ResizePlan plan;
  SUBBYTE_TRY(plan.form, resize_form(node));
  plan.extrapolation = f32_literal(plan.form.extrapolation);
  plan.cubic_a = f32_literal(plan.form.cubic_a);
  const auto scales = known_scales(code.exprs(), graph, node, plan.form);
  std::vector<bool> changed(in.size(), false);
  for (const std::size_t axis : resized_axes(node, in.size())) {
    changed[axis] = !(scales[axis] == 1.0f && in[axis] == out[axis] && plan.form.keeps_unscaled());
  }
  plan.groups = group_axes(code.exprs(), in, out, changed);
  for (const AxisGroup& group : plan.groups) {
    plan.known_scales.push_back(group.changed ? scales[group.axis] : 1.0f);
    plan.scales.push_back(group.changed ? scale_text(graph, node, plan.form, code, scope,
                                                     group.axis, scales[group.axis])
                                        : "");
  }
  return plan;
}

std::string last_position(StepCode& code, Expr size) {
  ExprPool& e = code.exprs();
  return fmt::format("f32({})", code.size(e.max(e.sub(size, e.constant(1)), e.constant(0))));
}

std::string last_index(StepCode& code, Expr size) {
  ExprPool& e = code.exprs();
  return code.signed_size(e.max(e.sub(size, e.constant(1)), e.constant(0)));
}

std::string original_coordinate(const ResizePlan& plan, std::size_t g, StepCode& code, Scope& scope,
                                const std::string& at, const Roi& roi) {
  ExprPool& exprs = code.exprs();
  const AxisGroup& group = plan.groups[g];
  const std::string& scale = plan.scales[g];
  const auto known = plan.known_scales[g];
  using Coordinates = ResizeForm::Coordinates;
  const Coordinates mode = plan.form.coordinates;
  const std::string x = scope.let(fmt::format("f32({})", at));
  const auto divided = [&](const std::string& a) { return quotient(a, scale, known); };
  const std::string last = last_position(code, group.in), end = last_position(code, group.out);
  // What holds where the result has more than one element, and where it has one.
  const auto unless_one = [&](const std::string& many, const std::string& one) {
    if (exprs.is(group.out, 1)) return scope.let(one);
    if (exprs.lower(group.out) > 1) return scope.let(many);
    return scope.let(fmt::format("select({}, {}, {} > 1u)", one, many, code.size(group.out)));
  };
  if (mode == Coordinates::asymmetric) return scope.let(divided(x));
  if (mode == Coordinates::tf_half_pixel_for_nn)
    return scope.let(divided(fmt::format("({} + 0.5f)", x)));
  const std::string centered = fmt::format("{} - 0.5f", divided(fmt::format("({} + 0.5f)", x)));
  if (mode == Coordinates::pytorch_half_pixel) return unless_one(centered, "0.0f");
  if (mode == Coordinates::align_corners) {
    return unless_one(fmt::format("resample_quotient({} * {}, {})", x, last, end), "0.0f");
  }
  if (mode == Coordinates::tf_crop_and_resize) {
    return unless_one(fmt::format("{0} * {2} + resample_quotient({3} * ({1} - {0}) * {2}, {4})",
                                  roi.start, roi.end, last, x, end),
                      fmt::format("0.5f * ({} + {}) * {}", roi.start, roi.end, last));
  }
  if (mode == Coordinates::half_pixel_symmetric) {
    const std::string size = fmt::format("f32({})", code.size(group.in));
    const std::string adjustment = scope.let(
        fmt::format("resample_quotient(f32({}), {} * {})", code.size(group.out), scale, size));
    const std::string offset = scope.let(fmt::format("{} * 0.5f * (1.0f - {})", size, adjustment));
    return scope.let(
        fmt::format("({} + {}) - 0.5f", offset, divided(fmt::format("({} + 0.5f)", x))));
  }
  return scope.let(centered);
}

std::string nearest_index(const ResizePlan& plan, std::size_t group, StepCode& code, Scope& scope,
                          const std::string& position) {
  return scope.let(fmt::format("u32(clamp(i32({}({})), 0i, {}))",
                               rounding_function(plan.form.nearest), position,
                               last_index(code, plan.groups[group].in)));
}

std::optional<std::vector<std::int64_t>> whole_repeats(ExprPool& exprs, const Graph& graph,
                                                       const Node& node) {
  using Coordinates = ResizeForm::Coordinates;
  using Nearest = ResizeForm::Nearest;
  const auto form = resize_form(node);
  if (!form || form->mode != ResizeForm::Mode::nearest) return std::nullopt;
  const auto& in = *graph.values[node.inputs[0]].shape;
  const auto& out = *graph.values[node.outputs[0]].shape;
  const Coordinates mode = form->coordinates;
  const Nearest nearest = form->nearest;
  const bool rounds =
      nearest == Nearest::round_prefer_floor || nearest == Nearest::round_prefer_ceil;
  const auto scales = known_scales(exprs, graph, node, *form);
  std::vector<std::int64_t> repeats;
  for (std::size_t axis = 0; axis < in.size(); ++axis) {
    const float scale = scales[axis].value_or(0);
    if (scale < 1 || scale > 4096 || scale != std::floor(scale)) return std::nullopt;
    const auto times = static_cast<std::int64_t>(scale);
    if (out[axis] != exprs.mul(in[axis], exprs.constant(times))) return std::nullopt;
    // Element j * times + i lies i / times beyond j, or (i + 0.5) / times - 0.5, less than half.
    const bool asymmetric =
        mode == Coordinates::asymmetric &&
        (nearest == Nearest::floor || (nearest == Nearest::round_prefer_floor && times <= 2));
    const bool centered =
        (mode == Coordinates::half_pixel || mode == Coordinates::pytorch_half_pixel ||
         mode == Coordinates::half_pixel_symmetric) &&
        rounds;
    const bool shifted = mode == Coordinates::tf_half_pixel_for_nn && nearest == Nearest::floor;
    const bool same = times == 1 && form->keeps_unscaled();
    if (!asymmetric && !centered && !shifted && !same) return std::nullopt;
    repeats.push_back(times);
  }
  return repeats;
}

}  // namespace subbyte
