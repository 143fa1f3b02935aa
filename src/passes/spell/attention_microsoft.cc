// Attention, MultiHeadAttention and RotaryEmbedding of com.microsoft, as ONNX Runtime's CPU
// provider computes them.
#include "graph/ops.h"
#include "passes/spell/attention.h"

namespace subbyte {
namespace {

tl::unexpected<Error> refused(std::string_view reason) {
  return fail_as(ErrorKind::unsupported, "{}", reason);
}

bool same_size(const Speller& s, ValueId a, std::size_t axis, ValueId b, std::size_t other) {
  return (*s.value(a).shape)[axis] == (*s.value(b).shape)[other];
}

// [B] to [B, 1, 1, 1], as int64.
ValueId of_each(Speller& s, std::string_view what, ValueId vector) {
  return s.add(Op::Unsqueeze, what,
               {s.cast(what, vector, DType::int64), s.int64s("each_axes", {1, 2, 3})});
}

// What a mask of any of its forms lets be seen, [B, 1, S or 1, T].
Expected<ValueId> seen_by_mask(Speller& s, ValueId mask, const Heads& heads) {
  const Size keys = s.size(heads.keys, 2);
  const auto is_positive = [&](ValueId of) {
    return s.add(Op::Greater, "seen", {of, s.number("zero", s.value(of).dtype, 0)});
  };
  switch (s.known_rank(mask)) {
    case 1: {
      // The number of keys of each row, or their ends and then their starts.
      const Size batch = s.size(heads.queries, 0);
      if (same_size(s, mask, 0, heads.queries, 0))
        return s.add(Op::Less, "seen", {positions(s, keys), of_each(s, "lengths", mask)});
      const auto count = s.known_size(mask, 0);
      if (!batch.axes.empty() || !count || *count != 2 * batch.number) break;
      const auto parts = s.split("range", mask, 0, Numbers{batch.number, batch.number});
      const ValueId places = positions(s, keys);
      return both(
          s, s.add(Op::Less, "before_end", {places, of_each(s, "ends", parts[0])}),
          s.add(Op::GreaterOrEqual, "from_start", {places, of_each(s, "starts", parts[1])}));
    }
    case 2:
      return is_positive(s.add(Op::Unsqueeze, "rows", {mask, s.int64s("row_axes", {1, 2})}));
    case 3:
      return is_positive(s.add(Op::Unsqueeze, "rows", {mask, s.int64s("row_axes", {1})}));
    default:
      break;
  }
  return refused(
      "its mask is none of [batch], [2 * batch] with a batch that is known, [batch, keys] and "
      "[batch, queries, keys]");
}

// What both attentions do with heads whose keys have the past before them.
struct Request {
  Heads heads;
  ValueId mask = kNone, bias = kNone;
  Size past = size_of(0);
};

Expected<ValueId> attended(Speller& s, const Request& r, std::size_t scores_output) {
  const double scale = s.node().float_or("scale", 0);
  SUBBYTE_TRY(ValueId scores, attention_scores(s, r.heads, scale));
  const DType dtype = s.value(scores).dtype;
  const double filter = s.node().float_or("mask_filter_value", -10000.0f);
  if (r.mask != kNone) {
    SUBBYTE_TRY(const ValueId seen, seen_by_mask(s, r.mask, r.heads));
    scores = added(s, "masked_scores", scores, mask_bias(s, seen, dtype, filter));
  }
  scores = added(s, "biased_scores", scores, r.bias);
  if (s.node().int_or("unidirectional", 0) != 0) {
    const ValueId first = s.sizes("past_length", {r.past});
    const ValueId before =
        causal_mask(s, s.size(r.heads.queries, 2), s.size(r.heads.keys, 2), first);
    scores = s.add(
        Op::Where, "causal_scores",
        {before, scores,
         s.number("later", dtype, dtype == DType::float16 ? -65504 : -3.4028234663852886e38)});
  }
  if (s.wants(scores_output)) s.finish(scores_output, scores);
  const ValueId weights = s.add(Op::Softmax, "weights", {scores}, {integer("axis", -1)});
  return join_heads(s, weighted_values(s, r.heads, weights));
}

bool ranks_are_known(const Speller& s) {
  for (const ValueId input : s.node().inputs)
    if (input != kNone && !s.rank(input)) return false;
  return true;
}

// One part of x [.., count, H] along axis 3, as heads [B, N, S, H].
std::vector<ValueId> unpacked(Speller& s, ValueId x, std::size_t count) {
  std::vector<ValueId> heads;
  for (const ValueId part : s.split("packed", x, 3, Numbers(count, 1)))
    heads.push_back(s.transpose(
        "heads_first", s.add(Op::Squeeze, "unpacked", {part, s.int64s("packed_axis", {3})}),
        {0, 2, 1, 3}));
  return heads;
}

// A part of the bias [D + D + D'], which is of known length.
Expected<std::vector<ValueId>> bias_parts(Speller& s, ValueId bias, const Numbers& widths) {
  if (bias == kNone) return std::vector<ValueId>(widths.size(), kNone);
  return s.split("bias_part", bias, 0, widths);
}

// Queries [B, S, D], with keys and values as they are, packed [B, T, N, 2, H] or heads already; or
// all of them packed [B, S, N, 3, H].
Expected<Heads> heads_of_inputs(Speller& s, std::int64_t heads) {
  const ValueId bias = s.input(3);
  const std::size_t rank = s.known_rank(s.input(0));
  const std::size_t key_rank = s.has(1) ? s.known_rank(s.input(1)) : 0;
  if (rank == 5) {
    if (bias != kNone || s.has(1))
      return refused("its queries are packed with keys and values, and it has a bias or keys too");
    const auto parts = unpacked(s, s.input(0), 3);
    return Heads{parts[0], parts[1], parts[2]};
  }
  const auto width = s.known_size(s.input(0), 2);
  if (!width) return refused("the width of its queries is not known when converting");
  ValueId values = s.input(2);
  std::int64_t value_width = 0;
  if (bias != kNone) value_width = s.known_size(bias, 0).value_or(0) - 2 * *width;
  if (bias != kNone && value_width < 1)
    return refused("its bias is not known to be as long as queries, keys and values are wide");
  SUBBYTE_TRY(const auto parts, bias_parts(s, bias, {*width, *width, value_width}));
  Heads made{};
  SUBBYTE_TRY(made.queries, split_heads(s, added(s, "queries", s.input(0), parts[0]), heads));
  if (key_rank == 5) {
    if (bias != kNone) return refused("its keys are packed with values, and it has a bias");
    const auto packed = unpacked(s, s.input(1), 2);
    made.keys = packed[0];
    made.values = packed[1];
  } else if (key_rank == 4) {
    made.keys = s.input(1);
    made.values = values;
  } else if (key_rank == 3 && values != kNone) {
    SUBBYTE_TRY(made.keys, split_heads(s, added(s, "keys", s.input(1), parts[1]), heads));
    SUBBYTE_TRY(made.values, split_heads(s, added(s, "values", values, parts[2]), heads));
  } else {
    return refused("it has no keys and values of its own");
  }
  return made;
}

}  // namespace

// Inputs are queries, keys, values, bias, mask of the keys, bias of the scores, past keys, past
// values, the length of the past in a buffer, and an indirection of beams.
Expected<bool> spell_multi_head_attention(Speller& s) {
  if (!ranks_are_known(s)) return false;
  if (s.has(8) || s.has(9))
    return refused(
        "it shares a buffer of the past or has cache_indirection, which is not supported");
  Request r;
  SUBBYTE_TRY(r.heads, heads_of_inputs(s, s.node().int_or("num_heads", 0)));
  if (s.has(6) != s.has(7)) return refused("it has one of past_key and past_value");
  if (s.has(6)) {
    r.past = s.size(s.input(6), 2);
    r.heads.keys =
        s.add(Op::Concat, "present_keys", {s.input(6), r.heads.keys}, {integer("axis", 2)});
    r.heads.values =
        s.add(Op::Concat, "present_values", {s.input(7), r.heads.values}, {integer("axis", 2)});
  }
  r.mask = s.input(4);
  r.bias = s.input(5);
  SUBBYTE_TRY(const ValueId result, attended(s, r, 3));
  s.finish(0, result);
  if (s.wants(1)) s.finish(1, r.heads.keys);
  if (s.wants(2)) s.finish(2, r.heads.values);
  return true;
}

// Inputs are x [B, S, D], the weights of all three projections, their bias, the mask, the past
// [2, B, N, P, H] of keys and values, the bias of the scores, and the past's length in a buffer.
Expected<bool> spell_microsoft_attention(Speller& s) {
  if (!ranks_are_known(s)) return false;
  if (s.has(6) || s.node().int_or("past_present_share_buffer", 0) != 0 ||
      s.node().int_or("do_rotary", 0) != 0)
    return refused(
        "it shares a buffer of the past, or turns its heads (do_rotary), which is not supported");
  const std::int64_t heads = s.node().int_or("num_heads", 0);
  Numbers widths;
  if (const auto given = s.node().ints("qkv_hidden_sizes"); given && !given->empty())
    widths.assign(given->begin(), given->end());
  const auto all = s.known_rank(s.input(1)) == 2 ? s.known_size(s.input(1), 1) : std::nullopt;
  if (!all) return refused("the width of its weights is not known when converting");
  if (widths.empty()) widths.assign(3, *all / 3);
  if (widths.size() != 3 || widths[0] + widths[1] + widths[2] != *all || widths[0] != widths[1])
    return fail("its qkv_hidden_sizes do not add up to the {} columns of its weights", *all);
  const ValueId product = s.add(Op::MatMul, "projected", {s.input(0), s.input(1)});
  const auto parts = s.split("projection", added(s, "projections", product, s.input(2)), 2, widths);
  Request r;
  SUBBYTE_TRY(r.heads.queries, split_heads(s, parts[0], heads));
  SUBBYTE_TRY(r.heads.keys, split_heads(s, parts[1], heads));
  SUBBYTE_TRY(r.heads.values, split_heads(s, parts[2], heads));
  const ValueId list = s.int64s("past_axis", {0});
  if (s.has(4)) {
    r.past = s.size(s.input(4), 3);
    const auto past = s.split("past", s.input(4), 0, Numbers{1, 1});
    const auto after = [&](ValueId before, ValueId now) {
      return s.add(Op::Concat, "present_part",
                   {s.add(Op::Squeeze, "past_part", {before, list}), now}, {integer("axis", 2)});
    };
    r.heads.keys = after(past[0], r.heads.keys);
    r.heads.values = after(past[1], r.heads.values);
  }
  r.mask = s.input(3);
  r.bias = s.input(5);
  SUBBYTE_TRY(const ValueId result, attended(s, r, 2));
  s.finish(0, result);
  if (s.wants(1))
    s.finish(1, s.add(Op::Concat, "present",
                      {s.add(Op::Unsqueeze, "present_keys", {r.heads.keys, list}),
                       s.add(Op::Unsqueeze, "present_values", {r.heads.values, list})},
                      {integer("axis", 0)}));
  return true;
}

// Inputs are x [B, S, N * H] or [B, N, S, H], the positions [B, S] or the first of them [1], and
// cosines and sines by position.
Expected<bool> spell_microsoft_rotary_embedding(Speller& s) {
  if (!ranks_are_known(s)) return false;
  if (s.node().int_or("is_packed_batching", 0) != 0)
    return refused("its is_packed_batching is 1; supported is 0");
  const bool by_heads = *s.rank() == 4;
  const ValueId x = s.input(0);
  if (!by_heads && *s.rank() != 3)
    return fail("its input has rank {}; it must be 3 or 4", *s.rank());
  ValueId places = s.input(1);
  if (s.known_rank(places) != 2) {
    const ValueId first = s.cast("first", places, DType::int64);
    const ValueId own =
        s.add(Op::Add, "own_places", {positions(s, s.size(x, by_heads ? 2 : 1)), first});
    places = s.add(Op::Unsqueeze, "row_of_places", {own, s.int64s("row", {0})});
  }
  const auto table = [&](std::size_t input) {
    return s.add(Op::Gather, "of_places", {s.input(input), places}, {integer("axis", 0)});
  };
  const ValueId cosines = table(2), sines = table(3);
  const bool interleaved = s.node().int_or("interleaved", 0) != 0;
  ValueId turned = kNone;
  if (by_heads) {
    turned = rotated(s, x, cosines, sines, 1, interleaved);
  } else {
    const auto width = s.known_size(x, 2), half = s.known_size(s.input(2), 1);
    std::int64_t heads = s.node().int_or("num_heads", 0);
    if (heads == 0 && width && half && *half > 0) heads = *width / (2 * *half);
    if (!width || heads < 1 || *width % heads != 0)
      return refused("the width of its heads is not known when converting");
    const ValueId apart = s.reshape(
        "heads", x, {s.size(x, 0), s.size(x, 1), size_of(heads), size_of(*width / heads)});
    turned = rotated(s, apart, cosines, sines, 2, interleaved);
    turned =
        s.reshape("joined", turned,
                  {s.size(turned, 0), s.size(turned, 1), s.size(turned, 2) * s.size(turned, 3)});
  }
  const double scale = s.node().float_or("scale", 1);
  if (scale != 1) turned = s.add(Op::Mul, "turned_scaled", {turned, s.number("scale", scale)});
  s.finish(0, turned);
  return true;
}

}  // namespace subbyte
