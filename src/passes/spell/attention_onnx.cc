// Attention and RotaryEmbedding of ai.onnx, opset 23 and later.
#include <limits>

#include "graph/ops.h"
#include "passes/spell/attention.h"

namespace subbyte {
namespace {

double lowest_of(DType dtype) {
  switch (dtype) {
    case DType::float16:
      return -65504;
    case DType::bfloat16:
      return -0x1.FEp127;
    case DType::float64:
      return std::numeric_limits<double>::lowest();
    default:
      return std::numeric_limits<float>::lowest();
  }
}

// How much of an Attention its inputs and attributes mask.
struct Masks {
  ValueId bias = kNone;       // added to the scores
  ValueId allowed = kNone;    // where there is a score
  bool may_hide_all = false;  // from some query, whose result is then 0
};

// The mask may end before the keys do; those beyond it are not seen.
ValueId padded_mask(Speller& s, ValueId mask, ValueId keys) {
  const std::size_t rank = s.known_rank(mask), keys_rank = s.known_rank(keys);
  if (rank == 0 || keys_rank != 4) return mask;
  if (s.value(mask).shape->back() == (*s.value(keys).shape)[2]) return mask;
  std::vector<Size> none(rank - 1, size_of(0));
  const ValueId missing =
      s.add(Op::Sub, "missing",
            {s.sizes("keys", {s.size(keys, 2)}), s.sizes("masked", {s.size(mask, rank - 1)})});
  const ValueId pads =
      s.add(Op::Concat, "pads", {s.int64s("no_pads", Numbers(2 * rank - 1, 0)), missing},
            {integer("axis", 0)});
  const DType dtype = s.value(mask).dtype;
  const double hidden = dtype == DType::boolean ? 0 : -std::numeric_limits<double>::infinity();
  return s.add(Op::Pad, "mask", {mask, pads, s.number("hidden", dtype, hidden)},
               {{"mode", std::string("constant")}});
}

// Where the first query stands among the keys; kNone for 0.
ValueId first_query(Speller& s, const Heads& heads) {
  if (s.has(4)) return s.sizes("past", {s.size(s.input(4), 2)});
  if (!s.has(6)) return kNone;
  const ValueId count = s.cast("valid", s.input(6), DType::int64);
  const ValueId first =
      s.add(Op::Sub, "first", {count, s.sizes("queries", {s.size(heads.queries, 2)})});
  return s.add(Op::Unsqueeze, "first_of_each", {first, s.int64s("first_axes", {1, 2, 3})});
}

// No more than `left` keys before a query's place and `right` after it; -1 is no bound.
ValueId window_mask(Speller& s, const Heads& heads, ValueId first, std::int64_t left,
                    std::int64_t right) {
  const ValueId own = s.add(Op::Unsqueeze, "window_column",
                            {positions(s, s.size(heads.queries, 2)), s.int64s("own_axis", {1})});
  const ValueId place = first == kNone ? own : s.add(Op::Add, "window_place", {own, first});
  const ValueId ahead = s.add(Op::Sub, "ahead", {positions(s, s.size(heads.keys, 2)), place});
  ValueId mask = kNone;
  if (left >= 0) mask = s.add(Op::GreaterOrEqual, "not_before", {ahead, s.int64s("left", {-left})});
  if (right >= 0)
    mask = both(s, mask, s.add(Op::LessOrEqual, "not_after", {ahead, s.int64s("right", {right})}));
  return mask;
}

Masks masks_of(Speller& s, const Heads& heads) {
  Masks masks;
  if (s.has(3)) {
    const ValueId mask = padded_mask(s, s.input(3), heads.keys);
    const DType dtype = s.value(mask).dtype;
    if (dtype == DType::boolean) {
      masks.allowed = mask;
    } else {
      masks.bias = s.cast("bias", mask, s.dtype());
      masks.allowed =
          s.add(Op::GreaterOrEqual, "seen", {mask, s.number("lowest", dtype, lowest_of(dtype))});
    }
    masks.may_hide_all = true;
  }
  const ValueId first = first_query(s, heads);
  const Size queries = s.size(heads.queries, 2), keys = s.size(heads.keys, 2);
  if (s.node().int_or("is_causal", 0) != 0)
    masks.allowed = both(s, masks.allowed, causal_mask(s, queries, keys, first));
  const std::int64_t left = s.node().int_or("left_window_size", -1);
  const std::int64_t right = s.node().int_or("right_window_size", -1);
  if (left >= 0 || right >= 0) {
    masks.allowed = both(s, masks.allowed, window_mask(s, heads, first, left, right));
    masks.may_hide_all = true;
  }
  if (s.has(6)) {
    const ValueId count =
        s.add(Op::Unsqueeze, "valid_of_each",
              {s.cast("valid", s.input(6), DType::int64), s.int64s("valid_axes", {1, 2, 3})});
    masks.allowed =
        both(s, masks.allowed, s.add(Op::Less, "valid_keys", {positions(s, keys), count}));
    masks.may_hide_all = true;
  }
  return masks;
}

Expected<ValueId> heads_of(Speller& s, std::size_t input, std::string_view attribute) {
  const ValueId x = s.input(input);
  if (s.known_rank(x) == 4) return x;
  return split_heads(s, x, s.node().int_or(attribute, 0));
}

// With what is remembered before it.
ValueId after_past(Speller& s, std::size_t past, ValueId now) {
  if (!s.has(past)) return now;
  return s.add(Op::Concat, "present", {s.input(past), now}, {integer("axis", 2)});
}

// The weights in the dtype that the softmax is asked to have.
ValueId softmax_of(Speller& s, ValueId scores, const Masks& masks) {
  const DType dtype = s.value(scores).dtype;
  const auto precision = static_cast<DType>(s.node().int_or("softmax_precision", 0));
  const DType wide = is_float(precision) ? precision : dtype;
  ValueId wide_scores = s.cast("wide_scores", scores, wide);
  if (masks.allowed != kNone)
    wide_scores = s.add(Op::Where, "masked_scores",
                        {masks.allowed, wide_scores, s.number("hidden", wide, lowest_of(wide))});
  ValueId weights = s.add(Op::Softmax, "softmax", {wide_scores}, {integer("axis", -1)});
  if (masks.may_hide_all)
    weights =
        s.add(Op::Where, "seen_weights", {masks.allowed, weights, s.number("unseen", wide, 0)});
  return s.cast("weights", weights, dtype);
}

}  // namespace

Expected<bool> spell_attention(Speller& s) {
  for (std::size_t i = 0; i < s.node().inputs.size(); ++i)
    if (s.has(i) && !s.rank(s.input(i))) return false;
  if (s.has(4) != s.has(5)) return fail("it has one of past_key and past_value; they go together");
  if (s.has(4) && s.has(6))
    return fail("it has past_key and nonpad_kv_seqlen; they exclude each other");
  Heads heads{};
  SUBBYTE_TRY(heads.queries, heads_of(s, 0, "q_num_heads"));
  SUBBYTE_TRY(const ValueId keys, heads_of(s, 1, "kv_num_heads"));
  SUBBYTE_TRY(const ValueId values, heads_of(s, 2, "kv_num_heads"));
  heads.keys = after_past(s, 4, keys);
  heads.values = after_past(s, 5, values);
  const double scale = s.node().float_or("scale", 0);
  const bool is_half = s.dtype() == DType::float16 || s.dtype() == DType::bfloat16;
  SUBBYTE_TRY(const ValueId raw, attention_scores(s, heads, scale, is_half));
  const ValueId capped = softcapped(s, raw, s.node().float_or("softcap", 0));
  const Masks masks = masks_of(s, heads);
  const ValueId biased = added(s, "biased", capped, masks.bias);
  const ValueId weights = softmax_of(s, biased, masks);
  const ValueId result = weighted_values(s, heads, weights);
  s.finish(0, s.rank() == 3 ? join_heads(s, result) : result);
  if (s.wants(1)) s.finish(1, heads.keys);
  if (s.wants(2)) s.finish(2, heads.values);
  if (!s.wants(3)) return true;
  switch (const std::int64_t mode = s.node().int_or("qk_matmul_output_mode", 0)) {
    case 0:
      s.finish(3, raw);
      break;
    case 1:
      s.finish(3, capped);
      break;
    case 2:
      s.finish(3, masks.allowed == kNone
                      ? biased
                      : s.add(Op::Where, "masked",
                              {masks.allowed, biased,
                               s.number("minus_infinity", s.dtype(),
                                        -std::numeric_limits<double>::infinity())}));
      break;
    case 3:
      s.finish(3, weights);
      break;
    default:
      return fail("its qk_matmul_output_mode is {}; it must be in [0, 3]", mode);
  }
  return true;
}

// Queries [B, N, S, H], keys [B, N', T, H] and values [B, N', T, H']: what is masked or changed on
// the way stands in graphs inside, which are not taken.
Expected<bool> spell_flex_attention(Speller& s) {
  SUBBYTE_CHECK_OK(s.needs({0, 1, 2}));
  for (std::size_t i = 0; i < 3; ++i) {
    if (!s.rank(s.input(i))) return false;
    if (s.known_rank(s.input(i)) != 4)
      return fail("its input {} has rank {}; it must be 4", i, s.known_rank(s.input(i)));
  }
  const DType dtype = s.dtype();
  const auto asked = static_cast<DType>(s.node().int_or("softmax_precision", 0));
  const bool is_half = dtype == DType::float16 || dtype == DType::bfloat16;
  const DType precision = is_float(asked) ? asked : is_half ? DType::float32 : dtype;
  Heads heads{s.input(0), s.input(1), s.input(2)};
  SUBBYTE_TRY(const ValueId scores,
              attention_scores(s, heads, s.node().float_or("scale", 0), is_half));
  const ValueId weights =
      s.add(Op::Softmax, "weights", {s.cast("scores", scores, precision)}, {integer("axis", -1)});
  heads.values = s.cast("values", heads.values, precision);
  s.finish(0, s.cast("result", weighted_values(s, heads, weights), dtype));
  return true;
}

// Inputs are x [B, N, S, H] or [B, S, N * H], cosines and sines by position, or of each position
// where none are given, and the positions [B, S].
Expected<bool> spell_rotary_embedding(Speller& s) {
  for (std::size_t i = 0; i < s.node().inputs.size(); ++i)
    if (s.has(i) && !s.rank(s.input(i))) return false;
  ValueId cosines = s.input(1), sines = s.input(2);
  if (s.has(3)) {
    cosines = s.add(Op::Gather, "cosines_at", {cosines, s.input(3)}, {integer("axis", 0)});
    sines = s.add(Op::Gather, "sines_at", {sines, s.input(3)}, {integer("axis", 0)});
  }
  const bool interleaved = s.node().int_or("interleaved", 0) != 0;
  if (*s.rank() == 4) {
    s.finish(0, rotated(s, s.input(0), cosines, sines, 1, interleaved));
    return true;
  }
  const std::int64_t heads = s.node().int_or("num_heads", 0);
  const auto width = s.known_size(s.input(0), 2);
  if (*s.rank() != 3 || heads < 1 || (width && *width % heads != 0))
    return fail(
        "its input has rank {} and its num_heads is {}; it needs rank 4, or 3 and a number "
        "of heads that divides the last axis",
        *s.rank(), heads);
  const ValueId x = s.input(0);
  const ValueId apart =
      s.reshape("heads", x,
                {s.size(x, 0), s.size(x, 1), size_of(heads), size_of(width ? *width / heads : -1)});
  const ValueId turned = rotated(s, apart, cosines, sines, 2, interleaved);
  s.finish(
      0, s.reshape("joined", turned,
                   {s.size(turned, 0), s.size(turned, 1), s.size(turned, 2) * s.size(turned, 3)}));
  return true;
}

}  // namespace subbyte
