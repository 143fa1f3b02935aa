// Convolutions and pools.
#include "graph/infer/node_infer.h"
#include "graph/infer/window.h"
#include "graph/node_form.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

// `size` is groups times a whole number, and the other side has as many as the message says.
Expected<Expr> per_group(NodeInfer& c, Expr size, Expr groups, std::string_view what) {
  SUBBYTE_CHECK_OK(c.require(c.exprs.equal(c.exprs.mod(size, groups), c.zero()),
                             fmt::format("its {} are {}, which its group, {}, does not divide",
                                         what, c.exprs.text(size), c.exprs.text(groups))));
  return c.exprs.floor_div(size, groups);
}

Expected<Expr> groups_of(NodeInfer& c) {
  const std::int64_t groups = c.node.int_or("group", 1);
  if (groups < 1) return fail("its group is {}; it must be at least 1", groups);
  return c.exprs.constant(groups);
}

Expected<void> check_bias(NodeInfer& c, Expr channels) {
  const Shape* bias = c.shape(2);
  if (bias == nullptr) return {};
  const std::string message =
      fmt::format("its bias has shape {}; it must be [{}]", c.text(*bias), c.exprs.text(channels));
  if (bias->size() != 1) return fail("{}", message);
  return c.require(c.exprs.equal(bias->front(), channels), message);
}

Expected<void> check_sizes(NodeInfer& c, std::span<const Expr> out) {
  for (std::size_t axis = 0; axis < out.size(); ++axis) {
    SUBBYTE_CHECK_OK(c.require(
        c.exprs.less(c.exprs.constant(-1), out[axis]),
        fmt::format("its result would have size {} along spatial axis {}; its input is too small",
                    c.exprs.text(out[axis]), axis)));
  }
  return {};
}

Shape with_batch(Expr batch, Expr channels, std::span<const Expr> spatial) {
  Shape shape{batch, channels};
  shape.insert(shape.end(), spatial.begin(), spatial.end());
  return shape;
}

std::string channels_message(NodeInfer& c, Expr expected) {
  return fmt::format(
      "its input has shape {} and its weights {}; with group {} axis 1 of the weights must be {}",
      c.text(*c.shape(0)), c.text(*c.shape(1)), c.node.int_or("group", 1), c.exprs.text(expected));
}

// Weights [output channels, input channels / group, kernel...].
Expected<void> set_convolution(NodeInfer& c, DType dtype, bool has_bias) {
  c.set(0, dtype, std::nullopt);
  SUBBYTE_TRY(const auto window, window_of(c.exprs, c.graph(), c.node));
  SUBBYTE_TRY(const Expr groups, groups_of(c));
  if (!window) return {};
  const Shape& input = *c.shape(0);
  const Shape& weights = *c.shape(1);
  SUBBYTE_TRY(const Expr depth, per_group(c, input[1], groups, "input channels"));
  SUBBYTE_CHECK_OK(per_group(c, weights[0], groups, "output channels"));
  SUBBYTE_CHECK_OK(c.unify(depth, weights[1], channels_message(c, depth)));
  if (has_bias) SUBBYTE_CHECK_OK(check_bias(c, weights[0]));
  SUBBYTE_CHECK_OK(check_sizes(c, window->out));
  c.set(0, dtype, with_batch(input[0], weights[0], window->out));
  return {};
}

}  // namespace

Expected<void> infer_conv(NodeInfer& c) {
  SUBBYTE_TRY(const DType dtype, c.same_dtype(0, 3));
  return set_convolution(c, sums_integers(c.node) ? DType::int32 : dtype, true);
}

// Inputs 2 and 3 are zero points.
Expected<void> infer_conv_integer(NodeInfer& c) { return set_convolution(c, DType::int32, false); }

// Weights [input channels, output channels / group, kernel...].
Expected<void> infer_conv_transpose(NodeInfer& c) {
  SUBBYTE_TRY(const DType dtype, c.same_dtype(0, 3));
  c.set(0, dtype, std::nullopt);
  SUBBYTE_TRY(const auto window, transposed_window_of(c.exprs, c.graph(), c.node));
  SUBBYTE_TRY(const Expr groups, groups_of(c));
  if (!window) return {};
  const Shape& input = *c.shape(0);
  const Shape& weights = *c.shape(1);
  SUBBYTE_CHECK_OK(per_group(c, input[1], groups, "input channels"));
  SUBBYTE_CHECK_OK(
      c.unify(input[1], weights[0],
              fmt::format("its input has shape {} and its weights {}; axis 0 of the weights must "
                          "be the input channels, {}",
                          c.text(input), c.text(weights), c.exprs.text(input[1]))));
  const Expr channels = c.exprs.mul(weights[1], groups);
  SUBBYTE_CHECK_OK(check_bias(c, channels));
  SUBBYTE_CHECK_OK(check_sizes(c, window->out));
  c.set(0, dtype, with_batch(input[0], channels, window->out));
  return {};
}

// The second output of MaxPool says where in the whole input each maximum is.
Expected<void> infer_pool(NodeInfer& c) {
  const DType dtype = c.in(0).dtype;
  c.set(0, dtype, std::nullopt);
  c.set(1, DType::int64, std::nullopt);
  SUBBYTE_TRY(const auto window, window_of(c.exprs, c.graph(), c.node));
  if (!window) return {};
  if (c.node.op == Op::LpPool && c.node.int_or("p", 2) < 1) {
    return fail("its p is {}; it must be at least 1", c.node.int_or("p", 2));
  }
  for (std::size_t axis = 0; axis < window->out.size(); ++axis) {
    // A window that meets nothing but padding has no maximum and no mean.
    for (const Expr pads : {window->pads_begin[axis], window->pads_end[axis]}) {
      const Expr one = c.one();
      const Expr last =
          c.exprs.mul(window->dilations[axis], c.exprs.sub(window->kernel[axis], one));
      if (c.exprs.lower(pads) > c.exprs.upper(last)) {
        return fail(
            "its pads along spatial axis {} are {}; they must be smaller than its window, which "
            "covers {} positions",
            axis, c.exprs.text(pads), c.exprs.text(c.exprs.add(last, one)));
      }
    }
  }
  SUBBYTE_CHECK_OK(check_sizes(c, window->out));
  const Shape& input = *c.shape(0);
  const Shape shape = with_batch(input[0], input[1], window->out);
  c.set(0, dtype, shape);
  c.set(1, DType::int64, shape);
  return {};
}

}  // namespace subbyte
