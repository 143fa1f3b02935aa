// Resize: the sizes that scales or sizes ask for.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/text.h"
#include "graph/arithmetic.h"
#include "graph/infer/node_infer.h"
#include "graph/node_form.h"
#include "graph/resize_form.h"

namespace subbyte {
namespace {

// The factor of one axis: a float that is known, or a fraction of shape arithmetic.
struct Scale {
  std::optional<float> known;
  Expr numerator, denominator;
};

constexpr std::int64_t kMostDenominator = 1024;

// The simplest fraction that is this float, by its continued fraction; exactly the float where
// there is none with a small denominator. Exporters write 2/3 as the float nearest to it.
Scale fraction_of(ExprPool& p, float scale) {
  std::int64_t before = 0, above = 1, before_below = 1, below = 0;
  double rest = scale;
  for (int i = 0; i < 32 && rest < 0x1p31; ++i) {
    const auto whole = static_cast<std::int64_t>(std::floor(rest));
    const std::int64_t next = saturating_add(saturating_mul(whole, above), before);
    const std::int64_t next_below = saturating_add(saturating_mul(whole, below), before_below);
    before = std::exchange(above, next);
    before_below = std::exchange(below, next_below);
    if (below > kMostDenominator) break;
    if (static_cast<float>(static_cast<double>(above) / static_cast<double>(below)) == scale)
      return {scale, p.constant(above), p.constant(below)};
    if (rest == std::floor(rest)) break;
    rest = 1 / (rest - std::floor(rest));
  }
  int exponent = 0;
  const auto mantissa = static_cast<std::int64_t>(std::ldexp(std::frexp(scale, &exponent), 24));
  // scale is mantissa * 2^(exponent - 24); an exponent far below makes any size 0.
  const int shift = 24 - exponent;
  if (shift <= 0)
    return {scale, p.constant(saturating_mul(mantissa, std::int64_t{1} << std::min(-shift, 31))),
            p.constant(1)};
  return {scale, p.constant(mantissa), p.constant(std::int64_t{1} << std::min(shift, 62))};
}

// The elements of `scales` (input 2); none where they are not known.
Expected<std::optional<std::vector<Scale>>> scales_of(NodeInfer& c) {
  std::vector<Scale> scales;
  if (const Tensor* given = c.graph().constant(c.node.inputs[ResizeForm::kScales])) {
    if (!is_float(given->dtype) || given->elements() > 64)
      return fail("its scales are {} elements of {}; they must be one float for each axis",
                  given->elements(), dtype_name(given->dtype));
    std::vector<float> values(static_cast<std::size_t>(given->elements()));
    read_floats(*given, 0, given->elements(), values.data());
    for (const float value : values) {
      if (!(value > 0) || !std::isfinite(value))
        return fail("one of its scales is {}; it must be above 0", value);
      scales.push_back(fraction_of(c.exprs, value));
    }
    return scales;
  }
  if (const Ratios* known = c.ratios(ResizeForm::kScales)) {
    for (const Ratio& r : *known) {
      const Expr by = c.exprs.constant(r.denominator);
      scales.push_back({std::nullopt, r.numerator, r.divisor ? c.exprs.mul(by, *r.divisor) : by});
    }
    return scales;
  }
  return std::optional<std::vector<Scale>>{};
}

// The parts of each axis that tf_crop_and_resize looks at; none where they are computed.
std::optional<std::vector<float>> roi_of(const NodeInfer& c) {
  const Tensor* given =
      c.has(ResizeForm::kRoi) ? c.graph().constant(c.node.inputs[ResizeForm::kRoi]) : nullptr;
  if (given == nullptr || !is_float(given->dtype) || given->elements() > 128) return std::nullopt;
  std::vector<float> values(static_cast<std::size_t>(given->elements()));
  read_floats(*given, 0, given->elements(), values.data());
  return values;
}

// floor(size * scale). Of a size that is known it is what float32 arithmetic gives, as in ONNX
// Runtime.
Expected<Expr> scaled_size(NodeInfer& c, Expr size, const Scale& scale, float part) {
  const auto known = c.exprs.value(size);
  if (known && scale.known) {
    const float result = std::floor(static_cast<float>(*known) * part * *scale.known);
    if (!(result >= 0 && result < 0x1p31f))
      return fail("size {} times its scale {} is {}; that is no size", *known, *scale.known,
                  result);
    return c.exprs.constant(static_cast<std::int64_t>(result));
  }
  Expr numerator = c.exprs.mul(size, scale.numerator), denominator = scale.denominator;
  if (part != 1) {
    if (!(part > 0) || !std::isfinite(part))
      return fail("the part of an axis that its roi gives is {}; it must be above 0", part);
    const Scale fraction = fraction_of(c.exprs, part);
    numerator = c.exprs.mul(numerator, fraction.numerator);
    denominator = c.exprs.mul(denominator, fraction.denominator);
  }
  // A target divided by the size itself.
  if (part == 1 && denominator == size) return scale.numerator;
  return c.exprs.floor_div(numerator, denominator);
}

// `sizes` as limits: one scale for all axes, the least or the greatest that they ask for.
void keep_aspect_ratio(ExprPool& p, const Shape& shape, const std::vector<std::size_t>& axes,
                       std::vector<Expr>& sizes, bool not_larger) {
  Expr above = sizes[0], below = shape[axes[0]];
  for (std::size_t i = 1; i < axes.size(); ++i) {
    const Expr here = p.mul(sizes[i], below), best = p.mul(above, shape[axes[i]]);
    const Expr better = not_larger ? p.less(here, best) : p.less(best, here);
    above = p.select(better, sizes[i], above);
    below = p.select(better, shape[axes[i]], below);
  }
  const Expr two = p.constant(2);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    // Rounded to the nearest, half up.
    const Expr doubled = p.mul(p.mul(above, shape[axes[i]]), two);
    sizes[i] = p.floor_div(p.add(doubled, below), p.mul(below, two));
  }
}

Expected<std::vector<std::size_t>> resized_axes(NodeInfer& c, std::size_t rank) {
  if (const auto given = c.node.ints("axes")) return c.axes_of(*given, rank);
  std::vector<std::size_t> axes(rank);
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  return axes;
}

Expected<void> check_count(std::size_t given, std::size_t axes, std::string_view what) {
  if (given == axes) return {};
  return fail("it has {} {} for {} axes; there must be one for each", given, what, axes);
}

// The new size of each of the axes; none while they are not known.
Expected<std::optional<std::vector<Expr>>> new_sizes(NodeInfer& c, const ResizeForm& form,
                                                     const Shape& shape,
                                                     const std::vector<std::size_t>& axes) {
  if (form.has_sizes) {
    const auto* given = c.content(ResizeForm::kSizes);
    if (given == nullptr) return std::optional<std::vector<Expr>>{};
    std::vector<Expr> sizes = *given;
    SUBBYTE_CHECK_OK(check_count(sizes.size(), axes.size(), "sizes"));
    for (const Expr size : sizes) SUBBYTE_CHECK_OK(c.size(size, "one of its sizes"));
    if (form.keeps_ratio() && !axes.empty())
      keep_aspect_ratio(c.exprs, shape, axes, sizes,
                        form.aspect_ratio == ResizeForm::AspectRatio::not_larger);
    if (c.node.int_or(kOnlyLarger, 0) != 0) {
      for (std::size_t i = 0; i < axes.size(); ++i)
        SUBBYTE_CHECK_OK(c.require(
            c.exprs.equal(c.exprs.less(sizes[i], shape[axes[i]]), c.zero()),
            fmt::format("its scales make axis {} smaller, to the nearest element; export the model "
                        "with opset 11 or later, which says what that is",
                        axes[i])));
    }
    return sizes;
  }
  SUBBYTE_TRY(const auto scales, scales_of(c));
  if (!scales) return std::optional<std::vector<Expr>>{};
  SUBBYTE_CHECK_OK(check_count(scales->size(), axes.size(), "scales"));
  const auto roi = form.crops() ? roi_of(c) : std::nullopt;
  if (form.crops() && !roi) return std::optional<std::vector<Expr>>{};
  if (roi) SUBBYTE_CHECK_OK(check_count(roi->size(), 2 * axes.size(), "elements in its roi"));
  std::vector<Expr> sizes;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const float part = roi ? (*roi)[axes.size() + i] - (*roi)[i] : 1;
    SUBBYTE_TRY(const Expr size, scaled_size(c, shape[axes[i]], (*scales)[i], part));
    sizes.push_back(size);
  }
  return sizes;
}

}  // namespace

Expected<void> infer_resize(NodeInfer& c) {
  const DType dtype = c.in(0).dtype;
  c.set(0, dtype, std::nullopt);
  SUBBYTE_TRY(const ResizeForm form, resize_form(c.node));
  const Shape* shape = c.shape(0);
  if (shape == nullptr) return {};
  SUBBYTE_TRY(const auto axes, resized_axes(c, shape->size()));
  SUBBYTE_TRY(const auto sizes, new_sizes(c, form, *shape, axes));
  if (!sizes) return {};
  Shape result = *shape;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (c.exprs.is(result[axes[i]], 0) && !c.exprs.is((*sizes)[i], 0)) {
      return fail("axis {} of its input, of shape {}, is empty; nothing can be made larger of it",
                  axes[i], c.text(*shape));
    }
    result[axes[i]] = (*sizes)[i];
  }
  c.set(0, dtype, std::move(result));
  return {};
}

Expected<void> infer_upsample(NodeInfer&) {
  return fail("Upsample left ONNX in opset 10; Resize is what it was");
}

}  // namespace subbyte
