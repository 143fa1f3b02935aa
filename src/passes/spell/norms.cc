// Operators without a kernel of their own, spelled out in those that have one. What is known of
// the shapes is their rank.
#include <algorithm>
#include <numeric>

#include "graph/ops.h"
#include "passes/spell/spell.h"
#include "reference/element.h"

namespace subbyte {
namespace {

// [-1, 1, 1]: a vector over the channels of a tensor of that rank.
Numbers channel_shape(std::size_t rank) {
  Numbers shape(rank - 1, 1);
  shape[0] = -1;
  return shape;
}

// The rows from `axis` on, with mean 0 and variance 1.
ValueId standardized(Speller& s, ValueId value, std::int64_t axis) {
  const double one = 1;
  const ValueId scale = s.floats("ones", {1}, std::span(&one, 1));
  return s.add(Op::LayerNormalization, "standardized", {value, scale},
               {integer("axis", axis), {"epsilon", s.node().float_or("epsilon", 1e-5f)}});
}

// value * scale + bias, which are vectors.
void finish_scaled(Speller& s, ValueId value, const Numbers& shape) {
  const ValueId scaled = s.add(Op::Mul, "scaled", {value, s.reshaped("scale", s.input(1), shape)});
  s.finish(Op::Add, {scaled, s.reshaped("bias", s.input(2), shape)});
}

}  // namespace

Expected<bool> spell_global_pool(Speller& s) {
  if (!s.rank()) return false;
  const Numbers axes = axes_between(2, *s.rank());
  const ValueId list = s.int64s("axes", axes);
  // Without any spatial axis nothing is reduced.
  const std::vector<Attribute> attributes{integer("keepdims", 1),
                                          integer("noop_with_empty_axes", 1)};
  const std::int64_t p = s.node().int_or("p", 2);
  if (s.node().op == Op::GlobalAveragePool) {
    s.finish(Op::ReduceMean, {s.input(0), list}, attributes);
  } else if (s.node().op == Op::GlobalMaxPool) {
    s.finish(Op::ReduceMax, {s.input(0), list}, attributes);
  } else if (p <= 2) {
    s.finish(p == 1 ? Op::ReduceL1 : Op::ReduceL2, {s.input(0), list}, attributes);
  } else {
    const ValueId magnitude = s.add(Op::Abs, "magnitude", {s.input(0)});
    const auto power = static_cast<double>(p);
    const ValueId powers = s.add(Op::Pow, "powers", {magnitude, s.number("p", power)});
    const ValueId sum = s.add(Op::ReduceSum, "sum", {powers, list}, attributes);
    s.finish(Op::Pow, {sum, s.number("root", 1 / power)});
  }
  return true;
}

Expected<bool> spell_instance_normalization(Speller& s) {
  if (!s.rank() || *s.rank() < 3) return false;
  finish_scaled(s, standardized(s, s.input(0), 2), channel_shape(*s.rank()));
  return true;
}

bool takes_batch_statistics(const Node& node) {
  return node.op == Op::BatchNormalization && node.int_or("training_mode", 0) != 0;
}

// Inputs are x [N, C, ...], scale, bias, and the running mean and variance [C]; outputs y and the
// running ones after it. Exporters write standardised weights so.
Expected<bool> spell_batch_statistics(Speller& s) {
  SUBBYTE_CHECK_OK(s.needs({0, 1, 2, 3, 4}));
  if (!s.rank()) return false;
  if (*s.rank() < 2) return fail("its input has rank {}; it must be at least 2", *s.rank());
  Numbers axes = axes_between(1, *s.rank());
  axes.front() = 0;
  const ValueId mean = reduced(s, Op::ReduceMean, "mean", s.input(0), axes);
  const ValueId centered = s.add(Op::Sub, "centered", {s.input(0), mean});
  const ValueId variance =
      reduced(s, Op::ReduceMean, "variance", s.add(Op::Mul, "squares", {centered, centered}), axes);
  const ValueId epsilon = s.number("epsilon", s.node().float_or("epsilon", 1e-5f));
  const ValueId deviation =
      s.add(Op::Sqrt, "deviation", {s.add(Op::Add, "divisor", {variance, epsilon})});
  finish_scaled(s, s.add(Op::Div, "standardized", {centered, deviation}), channel_shape(*s.rank()));
  const float momentum = s.node().float_or("momentum", 0.9f);
  for (const auto& [output, now] : {std::pair(std::size_t{1}, mean), {std::size_t{2}, variance}}) {
    if (!s.wants(output)) continue;
    const ValueId running = s.input(output + 2);
    const DType dtype =
        s.value(running).dtype == DType::undefined ? s.dtype() : s.value(running).dtype;
    const ValueId vector = s.cast("now", s.reshaped("now", now, {-1}), dtype);
    const ValueId kept = s.add(Op::Mul, "kept", {running, s.number("momentum", dtype, momentum)});
    const ValueId added = s.add(
        Op::Mul, "added", {vector, s.number("rest", dtype, 1.0 - static_cast<double>(momentum))});
    s.finish(output, s.add(Op::Add, "running", {kept, added}));
  }
  return true;
}

Expected<bool> spell_group_normalization(Speller& s) {
  const auto scale_shape = s.value(s.input(1)).shape;
  const std::int64_t groups = s.node().int_or("num_groups", 0);
  if (!s.rank() || *s.rank() < 3 || !scale_shape || scale_shape->size() != 1) return false;
  const ValueId sizes = s.add(Op::Shape, "sizes", {s.input(0)});
  const Numbers rows{0, groups, -1};
  const ValueId grouped =
      s.add(Op::Reshape, "grouped", {s.input(0), s.int64s("grouped_shape", rows)});
  const ValueId normal = standardized(s, grouped, -1);
  if (s.is_size((*scale_shape)[0], groups)) {
    // As before opset 21, one scale for each group; where a group is a channel it is the same.
    const ValueId scaled =
        s.add(Op::Mul, "scaled", {normal, s.reshaped("scale", s.input(1), {-1, 1})});
    const ValueId moved =
        s.add(Op::Add, "moved", {scaled, s.reshaped("bias", s.input(2), {-1, 1})});
    s.finish(Op::Reshape, {moved, sizes});
  } else {
    finish_scaled(s, s.add(Op::Reshape, "ungrouped", {normal, sizes}), channel_shape(*s.rank()));
  }
  return true;
}

Expected<bool> spell_mean_variance_normalization(Speller& s) {
  const auto given = s.node().ints("axes");
  const Numbers axes = given ? Numbers(given->begin(), given->end()) : Numbers{0, 2, 3};
  if (axes.empty()) return fail("its axes are empty; it must have one at least");
  const ValueId mean = reduced(s, Op::ReduceMean, "mean", s.input(0), axes);
  const ValueId centered = s.add(Op::Sub, "centered", {s.input(0), mean});
  const ValueId squares = s.add(Op::Mul, "squares", {centered, centered});
  const ValueId variance = reduced(s, Op::ReduceMean, "variance", squares, axes);
  const ValueId deviation = s.add(Op::Sqrt, "deviation", {variance});
  s.finish(Op::Div, {centered, s.add(Op::Add, "divisor", {deviation, s.number("epsilon", 1e-9)})});
  return true;
}

// The sum over neighbouring channels is a mean times their number, which a pool over [batch, 1,
// channels, places] gives when it counts padding.
Expected<bool> spell_lrn(Speller& s) {
  if (!s.rank() || *s.rank() < 2) return false;
  const std::int64_t size = s.node().int_or("size", 1);
  const double alpha = s.node().float_or("alpha", 1e-4f), beta = s.node().float_or("beta", 0.75f);
  const double bias = s.node().float_or("bias", 1.0f);
  const ValueId x = s.input(0);
  const ValueId squares = s.add(Op::Mul, "squares", {x, x});
  const ValueId sizes = s.add(Op::Shape, "sizes", {x});
  const ValueId plane =
      s.add(Op::Unsqueeze, "plane", {squares, s.int64s("plane_axis", Numbers{1})});
  // A tensor without places gets one.
  const Numbers image_shape = *s.rank() == 2 ? Numbers{0, 0, 0, 1} : Numbers{0, 0, 0, -1};
  const ValueId image = s.add(Op::Reshape, "image", {plane, s.int64s("image_shape", image_shape)});
  const std::int64_t before = (size - 1) / 2;
  const ValueId means = s.add(Op::AveragePool, "means", {image},
                              {{"kernel_shape", Numbers{size, 1}},
                               {"strides", Numbers{1, 1}},
                               {"pads", Numbers{before, 0, size - 1 - before, 0}},
                               integer("count_include_pad", 1)});
  const ValueId back = s.add(Op::Reshape, "neighbours", {means, sizes});
  const ValueId weighted = s.add(Op::Mul, "weighted", {back, s.number("alpha", alpha)});
  const ValueId sum = s.add(Op::Add, "sum", {weighted, s.number("bias", bias)});
  s.finish(Op::Div, {x, s.add(Op::Pow, "divisor", {sum, s.number("beta", beta)})});
  return true;
}

// Where the norm is 0 so are all elements, and the result is defined to be 0.
Expected<bool> spell_lp_normalization(Speller& s) {
  const Op op = s.node().int_or("p", 2) == 1 ? Op::ReduceL1 : Op::ReduceL2;
  const ValueId norm = reduced(s, op, "norm", s.input(0), {s.node().int_or("axis", -1)});
  const ValueId is_zero = s.add(Op::Equal, "is_zero", {norm, s.number("zero", 0)});
  s.finish(Op::Div, {s.input(0), s.add(Op::Where, "divisor", {is_zero, s.number("one", 1), norm})});
  return true;
}

// A one at the place of the first maximum.
Expected<bool> spell_hardmax(Speller& s) {
  const std::int64_t axis = s.node().int_or("axis", -1);
  // Older ones are of matrices: canonicalize_shaped().
  if (!s.rank() || *s.rank() == 0 || s.opset() < 13) return false;
  const ValueId place =
      s.add(Op::ArgMax, "place", {s.input(0)}, {integer("axis", axis), integer("keepdims", 0)});
  const ValueId sizes = s.add(Op::Shape, "sizes", {s.input(0)});
  const std::int64_t position = axis < 0 ? axis + static_cast<std::int64_t>(*s.rank()) : axis;
  const ValueId depth =
      s.add(Op::Gather, "depth", {sizes, s.int64s("depth_axis", Numbers{position})},
            {integer("axis", 0)});
  const double off_and_on[] = {0, 1};
  const ValueId levels =
      s.constant("levels", reference::tensor_from(DType::float32, {2}, off_and_on));
  if (s.dtype() == DType::float32) {
    s.finish(Op::OneHot, {place, depth, levels}, {integer("axis", axis)});
  } else {
    const ValueId ones = s.add(Op::OneHot, "ones", {place, depth, levels}, {integer("axis", axis)});
    s.finish(Op::Cast, {ones}, {integer("to", static_cast<std::int64_t>(s.dtype()))});
  }
  return true;
}

}  // namespace subbyte
