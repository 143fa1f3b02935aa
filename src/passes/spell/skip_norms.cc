// Normalisations of com.microsoft: with a residual, of embeddings, over groups of channels.
#include "graph/ops.h"
#include "passes/spell/spell.h"

namespace subbyte {
namespace {

// x / sqrt(mean(x^2) + epsilon) * scale over the axes from `axis` on, which fuse_rms_norm makes one
// operator of. Halves are normalised in float32, as ONNX Runtime does: squares leave their range.
ValueId rms_norm(Speller& s, ValueId x, ValueId scale, std::int64_t axis) {
  const DType dtype = s.value(x).dtype;
  const DType wide = dtype == DType::float64 ? dtype : DType::float32;
  const ValueId wide_x = s.cast("wide", x, wide);
  const ValueId squares = s.add(Op::Mul, "squares", {wide_x, wide_x});
  const ValueId mean = reduced(s, Op::ReduceMean, "mean", squares,
                               axes_between(static_cast<std::size_t>(axis), s.known_rank(x)));
  const double epsilon = s.node().float_or("epsilon", 1e-5f);
  const ValueId moved = s.add(Op::Add, "moved", {mean, s.number("epsilon", wide, epsilon)});
  const ValueId root = s.add(Op::Sqrt, "root", {moved});
  const ValueId divided = s.add(Op::Div, "divided", {wide_x, root});
  return s.cast("normal", s.add(Op::Mul, "scaled", {divided, s.cast("wide_scale", scale, wide)}),
                dtype);
}

ValueId layer_norm(Speller& s, ValueId x, ValueId scale, ValueId bias) {
  std::vector<ValueId> inputs{x, scale};
  if (bias != kNone) inputs.push_back(bias);
  const float epsilon = s.node().float_or("epsilon", 1e-12f);
  return s.add(Op::LayerNormalization, "normal", std::move(inputs),
               {integer("axis", -1), {"epsilon", epsilon}});
}

// The sum of what is there.
ValueId sum_of(Speller& s, std::initializer_list<ValueId> values) {
  ValueId sum = kNone;
  for (const ValueId value : values) {
    if (value == kNone) continue;
    sum = sum == kNone ? value : s.add(Op::Add, "sum", {sum, value});
  }
  return sum;
}

// The residual without a batch, or with a batch of 1, is that of all.
ValueId residual_sum(Speller& s, ValueId bias) { return sum_of(s, {s.input(0), bias, s.input(1)}); }

}  // namespace

Expected<bool> spell_simplified_layer_normalization(Speller& s) {
  if (!s.rank()) return false;
  const auto rank = static_cast<std::int64_t>(*s.rank());
  const std::int64_t given = s.node().int_or("axis", -1);
  const std::int64_t axis = given < 0 ? given + rank : given;
  if (axis < 0 || axis >= rank)
    return fail("its axis is {}; for rank {} it must be in [{}, {}]", given, rank, -rank, rank - 1);
  s.finish(0, rms_norm(s, s.input(0), s.input(1), axis));
  return true;
}

// Inputs are x, the residual, the scale, and the bias of x.
Expected<bool> spell_skip_simplified_layer_normalization(Speller& s) {
  if (!s.rank() || *s.rank() == 0 || !s.rank(s.input(1))) return false;
  const ValueId sum = residual_sum(s, s.input(3));
  const std::size_t rank = s.known_rank(sum);
  s.finish(0, rms_norm(s, sum, s.input(2), static_cast<std::int64_t>(rank) - 1));
  if (s.wants(3)) s.finish(3, sum);
  return true;
}

// Inputs are x, the residual, scale, offset, and the bias of x.
Expected<bool> spell_skip_layer_normalization(Speller& s) {
  const ValueId sum = residual_sum(s, s.input(4));
  s.finish(0, layer_norm(s, sum, s.input(2), s.input(3)));
  if (s.wants(3)) s.finish(3, sum);
  return true;
}

// Tokens, segments and positions are looked up and summed. Inputs are the tokens [batch, sequence],
// the segments, the three tables, scale, offset, a mask [batch, sequence], the positions.
Expected<bool> spell_embed_layer_normalization(Speller& s) {
  SUBBYTE_CHECK_OK(s.needs({2, 3, 5, 6}));
  const std::vector<Attribute> rows{integer("axis", 0)};
  if (s.rank() != 2) return false;
  const ValueId tokens = s.add(Op::Gather, "tokens", {s.input(2), s.input(0)}, rows);
  ValueId positions = s.input(8);
  if (positions == kNone) {
    const ValueId count = s.add(Op::Squeeze, "count",
                                {s.sizes("length", {s.size(s.input(0), 1)}), s.int64s("all", {0})});
    positions = s.range("range", count);
  }
  const ValueId places = s.add(Op::Gather, "places", {s.input(3), positions}, rows);
  ValueId segments = kNone;
  if (s.has(1) && s.has(4))
    segments = s.add(Op::Gather, "segments", {s.input(4), s.input(1)}, rows);
  const ValueId sum = sum_of(s, {tokens, places, segments});
  s.finish(0, layer_norm(s, sum, s.input(5), s.input(6)));
  // How many of each row the mask lets pass.
  if (s.wants(1)) {
    if (s.has(7)) {
      s.finish(1, reduced(s, Op::ReduceSum, "counts", s.input(7), {1}, false));
    } else {
      const ValueId batch = s.sizes("batch", {s.size(s.input(0), 0)});
      const std::vector<std::byte> zero(4);
      s.finish(1, s.add(Op::ConstantOfShape, "no_counts", {batch},
                        {{"value", make_tensor(DType::int32, {1}, zero)}}));
    }
  }
  if (s.wants(2)) s.finish(2, sum);
  return true;
}

namespace {

// Channels are the last axis in com.microsoft's GroupNorm, and the second where channels_last is 0.
Expected<void> finish_group_norm(Speller& s, ValueId x, ValueId scale, ValueId bias) {
  const bool last = s.node().int_or("channels_last", 1) != 0;
  const auto rank = static_cast<std::int64_t>(s.known_rank(x));
  if (rank < 3) return fail("its input has rank {}; it must be at least 3", rank);
  ValueId channels_second = x;
  Numbers back{0};
  if (last) {
    Numbers order{0, rank - 1};
    for (std::int64_t axis = 1; axis < rank - 1; ++axis) order.push_back(axis);
    for (std::int64_t axis = 2; axis < rank; ++axis) back.push_back(axis);
    back.push_back(1);
    channels_second = s.transpose("channels_second", x, order);
  }
  const Numbers rows{0, s.node().int_or("groups", 1), -1};
  const ValueId grouped =
      s.add(Op::Reshape, "grouped", {channels_second, s.int64s("grouped_shape", rows)});
  const ValueId one = s.constant("ones", s.ones(s.value(x).dtype));
  const ValueId normal =
      s.add(Op::LayerNormalization, "standardized", {grouped, one},
            {integer("axis", -1), {"epsilon", s.node().float_or("epsilon", 1e-5f)}});
  const ValueId sizes = s.add(Op::Shape, "channel_sizes", {channels_second});
  const ValueId apart = s.add(Op::Reshape, "ungrouped", {normal, sizes});
  Numbers vector(static_cast<std::size_t>(rank) - 1, 1);
  vector[0] = -1;
  const DType dtype = s.value(x).dtype;
  const ValueId factor = s.reshaped("scale", s.cast("scale_in", scale, dtype), vector);
  const ValueId offset = s.reshaped("bias", s.cast("bias_in", bias, dtype), vector);
  const ValueId scaled = s.add(Op::Mul, "scaled", {apart, factor});
  ValueId y = s.add(Op::Add, "moved", {scaled, offset});
  if (last) y = s.transpose("channels_last", y, back);
  if (s.node().int_or("activation", 0) == 1) y = swish(s, y, 1);
  s.finish(0, y);
  return {};
}

}  // namespace

Expected<bool> spell_group_norm(Speller& s) {
  if (!s.rank()) return false;
  SUBBYTE_CHECK_OK(finish_group_norm(s, s.input(0), s.input(1), s.input(2)));
  return true;
}

// Inputs are x, scale, offset, the residual, and the bias of x. Sums are [N, H, W, C]; the residual
// may be [N, C] or [N, 1, 1, C].
Expected<bool> spell_skip_group_norm(Speller& s) {
  const auto rank = s.rank(), skip_rank = s.rank(s.input(3));
  if (!rank || !skip_rank) return false;
  if (s.node().int_or("channels_last", 1) == 0)
    return fail_as(ErrorKind::unsupported, "its channels_last is 0; supported is 1");
  ValueId skip = s.input(3);
  if (*skip_rank == 2) skip = s.add(Op::Unsqueeze, "skip", {skip, s.int64s("skip_axes", {1, 2})});
  const ValueId sum = sum_of(s, {s.input(0), skip, s.input(4)});
  SUBBYTE_CHECK_OK(finish_group_norm(s, sum, s.input(1), s.input(2)));
  if (s.wants(1)) s.finish(1, sum);
  return true;
}

}  // namespace subbyte
