#include "plan/resize_code.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "graph/node_form.h"

namespace subbyte {

namespace {

// Sizes that stand in for scales: those that are given, or those of the result where the scales are
// computed; none where scales are given.
std::optional<std::vector<Expr>> wanted_sizes(const Graph& graph, const Node& node) {
  if (node.has_input(3)) return graph.values[node.inputs[3]].content;
  if (node.has_input(2) && graph.constant(node.inputs[2]) != nullptr) return std::nullopt;
  const auto& out = *graph.values[node.outputs[0]].shape;
  std::vector<Expr> sizes;
  for (const std::size_t axis : resized_axes(node, out.size())) sizes.push_back(out[axis]);
  return sizes;
}

bool keeps_ratio(const Node& node) {
  return node.string_or("keep_aspect_ratio_policy", "stretch") != "stretch";
}

// By axis; none where a scale follows from sizes that are not known when converting.
std::vector<std::optional<float>> known_scales(const ExprPool& exprs, const Graph& graph,
                                               const Node& node) {
  const auto& in = *graph.values[node.inputs[0]].shape;
  const auto axes = resized_axes(node, in.size());
  std::vector<std::optional<float>> scales(in.size(), 1.0f);
  const auto sizes = wanted_sizes(graph, node);
  if (!sizes) {
    const Tensor* given = node.has_input(2) ? graph.constant(node.inputs[2]) : nullptr;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      scales[axes[i]].reset();
      if (given == nullptr || i >= static_cast<std::size_t>(given->elements())) continue;
      float scale = 1;
      read_floats(*given, static_cast<std::int64_t>(i), 1, &scale);
      scales[axes[i]] = scale;
    }
    return scales;
  }
  const bool smallest = node.string_or("keep_aspect_ratio_policy", "stretch") == "not_larger";
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
  if (!keeps_ratio(node)) return scales;
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

std::string ratio(StepCode& code, Expr to, Expr from) {
  return fmt::format("resample_quotient(f32({}), f32({}))", code.size(to), code.size(from));
}

// WGSL of the scale of one axis.
std::string scale_text(const Graph& graph, const Node& node, StepCode& code, Scope& scope,
                       std::size_t axis, std::optional<float> known) {
  if (known) return f32_literal(*known);
  const auto& in = *graph.values[node.inputs[0]].shape;
  const auto axes = resized_axes(node, in.size());
  const auto sizes = wanted_sizes(graph, node);
  if (!sizes) return "1.0f";
  std::string common;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (!keeps_ratio(node) && axes[i] != axis) continue;
    const std::string scale = scope.let(ratio(code, (*sizes)[i], in[axes[i]]));
    const bool smallest = node.string_or("keep_aspect_ratio_policy", "stretch") == "not_larger";
    common = common.empty()
                 ? scale
                 : scope.let(fmt::format("{}({}, {})", smallest ? "min" : "max", common, scale));
  }
  return common;
}

// Whether an axis of scale 1 passes through.
bool keeps_unscaled(std::string_view coordinates) {
  return coordinates != "tf_crop_and_resize" && coordinates != "tf_half_pixel_for_nn";
}

std::string_view coordinate_mode(const Node& node) {
  return node.string_or("coordinate_transformation_mode", "half_pixel");
}

}  // namespace

ResizePlan resize_plan(const Graph& graph, const Node& node, ValueId output, StepCode& code,
                       Scope& scope) {
  const auto& in = *graph.values[node.inputs[0]].shape;
  const auto& out = *graph.values[output].shape;
  ResizePlan plan;
  plan.mode = node.string_or("mode", "nearest");
  plan.coordinates = coordinate_mode(node);
  plan.nearest = node.string_or("nearest_mode", "round_prefer_floor");
  plan.extrapolates = plan.coordinates == "tf_crop_and_resize";
  plan.antialias = node.int_or("antialias", 0) != 0;
  plan.excludes_outside = node.int_or("exclude_outside", 0) != 0;
  plan.extrapolation = f32_literal(node.float_or("extrapolation_value", 0));
  plan.cubic_a = f32_literal(node.float_or("cubic_coeff_a", -0.75f));
  const auto scales = known_scales(code.exprs(), graph, node);
  std::vector<bool> changed(in.size(), false);
  for (const std::size_t axis : resized_axes(node, in.size())) {
    changed[axis] =
        !(scales[axis] == 1.0f && in[axis] == out[axis] && keeps_unscaled(plan.coordinates));
  }
  plan.groups = group_axes(code.exprs(), in, out, changed);
  for (const AxisGroup& group : plan.groups) {
    plan.known_scales.push_back(group.changed ? scales[group.axis] : 1.0f);
    plan.scales.push_back(
        group.changed ? scale_text(graph, node, code, scope, group.axis, scales[group.axis]) : "");
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
  const std::string_view mode = plan.coordinates;
  const std::string x = scope.let(fmt::format("f32({})", at));
  const auto divided = [&](const std::string& a) { return quotient(a, scale, known); };
  const std::string last = last_position(code, group.in), end = last_position(code, group.out);
  // What holds where the result has more than one element, and where it has one.
  const auto unless_one = [&](const std::string& many, const std::string& one) {
    if (exprs.is(group.out, 1)) return scope.let(one);
    if (exprs.lower(group.out) > 1) return scope.let(many);
    return scope.let(fmt::format("select({}, {}, {} > 1u)", one, many, code.size(group.out)));
  };
  if (mode == "asymmetric") return scope.let(divided(x));
  if (mode == "tf_half_pixel_for_nn") return scope.let(divided(fmt::format("({} + 0.5f)", x)));
  const std::string centered = fmt::format("{} - 0.5f", divided(fmt::format("({} + 0.5f)", x)));
  if (mode == "pytorch_half_pixel") return unless_one(centered, "0.0f");
  if (mode == "align_corners") {
    return unless_one(fmt::format("resample_quotient({} * {}, {})", x, last, end), "0.0f");
  }
  if (mode == "tf_crop_and_resize") {
    return unless_one(fmt::format("{0} * {2} + resample_quotient({3} * ({1} - {0}) * {2}, {4})",
                                  roi.start, roi.end, last, x, end),
                      fmt::format("0.5f * ({} + {}) * {}", roi.start, roi.end, last));
  }
  if (mode == "half_pixel_symmetric") {
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
  const char* rounding = plan.nearest == "floor"               ? "floor"
                         : plan.nearest == "ceil"              ? "ceil"
                         : plan.nearest == "round_prefer_ceil" ? "resample_round_up"
                                                               : "resample_round_down";
  return scope.let(fmt::format("u32(clamp(i32({}({})), 0i, {}))", rounding, position,
                               last_index(code, plan.groups[group].in)));
}

std::optional<std::vector<std::int64_t>> whole_repeats(ExprPool& exprs, const Graph& graph,
                                                       const Node& node) {
  if (node.string_or("mode", "nearest") != "nearest") return std::nullopt;
  const auto& in = *graph.values[node.inputs[0]].shape;
  const auto& out = *graph.values[node.outputs[0]].shape;
  const std::string_view mode = coordinate_mode(node);
  const std::string_view nearest = node.string_or("nearest_mode", "round_prefer_floor");
  const bool rounds = nearest == "round_prefer_floor" || nearest == "round_prefer_ceil";
  const auto scales = known_scales(exprs, graph, node);
  std::vector<std::int64_t> repeats;
  for (std::size_t axis = 0; axis < in.size(); ++axis) {
    const float scale = scales[axis].value_or(0);
    if (scale < 1 || scale > 4096 || scale != std::floor(scale)) return std::nullopt;
    const auto times = static_cast<std::int64_t>(scale);
    if (out[axis] != exprs.mul(in[axis], exprs.constant(times))) return std::nullopt;
    // Element j * times + i lies i / times beyond j, or (i + 0.5) / times - 0.5, less than half.
    const bool asymmetric = mode == "asymmetric" &&
                            (nearest == "floor" || (nearest == "round_prefer_floor" && times <= 2));
    const bool centered =
        (mode == "half_pixel" || mode == "pytorch_half_pixel" || mode == "half_pixel_symmetric") &&
        rounds;
    const bool shifted = mode == "tf_half_pixel_for_nn" && nearest == "floor";
    const bool same = times == 1 && keeps_unscaled(mode);
    if (!asymmetric && !centered && !shifted && !same) return std::nullopt;
    repeats.push_back(times);
  }
  return repeats;
}

}  // namespace subbyte
