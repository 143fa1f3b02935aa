// GroupQueryAttention of com.microsoft, as ONNX Runtime's CPU provider computes it. A row of the
// batch has seqlens_k + 1 keys when its queries are done, the last of which are theirs: so many
// before them are in the past, none in a prompt, whose queries are as many as
// total_sequence_length.
#include "graph/ops.h"
#include "passes/spell/attention.h"

namespace subbyte {
namespace {

tl::unexpected<Error> refused(std::string_view reason) {
  return fail_as(ErrorKind::unsupported, "{}", reason);
}

Expected<void> check_forms(const Speller& s) {
  const Node& node = s.node();
  if (node.string_or("k_quant_type", "NONE") != "NONE" ||
      node.string_or("v_quant_type", "NONE") != "NONE" || s.has(12) || s.has(13))
    return refused("its cache is quantized, which is not supported");
  if (node.int_or("sliding_window_cache", 0) != 0)
    return refused("its sliding_window_cache is 1; supported is 0");
  if (node.int_or("qk_output", 0) != 0 || s.wants(3))
    return refused("its output 3, the scores, is not supported");
  if (s.has(3) != s.has(4)) return refused("it has one of past_key and past_value");
  return {};
}

// The projections [B, S, N * H], from one input or three.
struct Projections {
  ValueId queries, keys, values;
};

Expected<Projections> projections_of(Speller& s, std::int64_t heads, std::int64_t shared) {
  if (s.has(1) && s.has(2)) return Projections{s.input(0), s.input(1), s.input(2)};
  const auto width = s.known_size(s.input(0), 2);
  const std::int64_t all = heads + 2 * shared;
  if (!width || *width % all != 0)
    return refused("the width of its packed projections is not known to hold its heads");
  const std::int64_t each = *width / all;
  const auto parts =
      s.split("projection", s.input(0), 2, Numbers{heads * each, shared * each, shared * each});
  return Projections{parts[0], parts[1], parts[2]};
}

// RMSNorm of each head of x [B, N, S, H].
ValueId head_norm(Speller& s, ValueId x, ValueId weight) {
  const DType dtype = s.value(x).dtype;
  const ValueId squares = s.add(Op::Mul, "squares", {x, x});
  const ValueId mean = reduced(s, Op::ReduceMean, "mean", squares, {3});
  const double epsilon = s.node().float_or("qk_norm_epsilon", 1e-6f);
  const ValueId root = s.add(
      Op::Sqrt, "root", {s.add(Op::Add, "moved", {mean, s.number("epsilon", dtype, epsilon)})});
  return s.add(Op::Mul, "normal", {s.add(Op::Div, "divided", {x, root}), weight});
}

class Cache {
 public:
  // `queries` is [B, N, S, H].
  Cache(Speller& speller, ValueId queries) : s(speller), count_(s.size(queries, 2)) {
    const ValueId ends = s.cast("ends", s.input(5), DType::int64);
    const ValueId flat = s.add(Op::Reshape, "ends_of_rows", {ends, s.int64s("flat", {-1})});
    last_ = s.add(Op::Unsqueeze, "last_of_rows", {flat, s.int64s("row_axes", {1, 2, 3})});
    const ValueId own = s.sizes("queries_count", {count_});
    const ValueId before = s.add(
        Op::Sub, "before", {s.add(Op::Add, "lengths", {flat, s.int64s("one_more", {1})}), own});
    const ValueId total = s.cast("total", s.input(6), DType::int64);
    total_ = s.add(Op::Reshape, "total_length", {total, s.int64s("total_shape", {1})});
    const ValueId is_prompt = s.add(Op::Equal, "is_prompt", {total_, own});
    const ValueId past =
        s.has(3) ? s.add(Op::Where, "past_of_rows", {is_prompt, s.int64s("no_past", {0}), before})
                 : s.add(Op::Mul, "no_past_of_rows", {before, s.int64s("none", {0})});
    first_ = s.add(Op::Unsqueeze, "first_of_rows", {past, s.int64s("row_axes", {1, 2, 3})});
  }

  // The number of keys in the past of each row, [B, 1, 1, 1].
  ValueId first() const { return first_; }

  // The last of all keys of each row, [B, 1, 1, 1].
  ValueId last() const { return last_; }

  // The past and then `now` [B, N, S, H], where each row has it; zeros after that.
  ValueId after_past(std::size_t input, ValueId now) {
    if (!s.has(input)) return now;
    const ValueId past = s.input(input);
    const ValueId room = s.sizes("room", {s.size(past, 2)});
    const ValueId length = s.add(Op::Max, "present_length", {room, total_});
    const ValueId missing = s.add(Op::Sub, "missing", {length, room});
    const ValueId zeros = s.int64s("no_pads", Numbers(6, 0));
    const ValueId pads =
        s.add(Op::Concat, "pads", {zeros, missing, s.int64s("no_pad", {0})}, {integer("axis", 0)});
    const ValueId nothing = s.number("nothing", s.value(past).dtype, 0);
    const ValueId wide =
        s.add(Op::Pad, "wide_past", {past, pads, nothing}, {{"mode", std::string("constant")}});
    const ValueId places =
        s.add(Op::Unsqueeze, "places_column", {places_in(length), s.int64s("column", {1})});
    const ValueId since = s.add(Op::Sub, "since_past", {places, first_});
    const ValueId last =
        s.add(Op::Sub, "last", {s.sizes("own", {count_}), s.int64s("one_less", {1})});
    const ValueId inside =
        s.add(Op::Max, "not_before",
              {s.add(Op::Min, "not_after", {since, last}), s.int64s("first", {0})});
    const ValueId shape = s.add(Op::Concat, "index_shape",
                                {s.sizes("outer", {s.size(now, 0), s.size(now, 1)}), length,
                                 s.sizes("inner", {s.size(now, 3)})},
                                {integer("axis", 0)});
    const ValueId index = s.add(Op::Expand, "index", {inside, shape});
    const ValueId own = s.add(Op::GatherElements, "own_keys", {now, index}, {integer("axis", 2)});
    const ValueId is_own = s.add(Op::LessOrEqual, "is_own", {since, last});
    const ValueId rest = s.add(Op::Where, "own_or_none", {is_own, own, nothing});
    const ValueId is_past = s.add(Op::Less, "is_past", {places, first_});
    return s.add(Op::Where, "present", {is_past, wide, rest});
  }

 private:
  ValueId places_in(ValueId length) {
    return s.range("places", s.add(Op::Squeeze, "length", {length, s.int64s("length_axis", {0})}));
  }

  Speller& s;
  Size count_;
  ValueId total_ = kNone, first_ = kNone, last_ = kNone;
};

// Queries or keys [B, N, S, H], turned by their positions.
ValueId turned(Speller& s, ValueId x, const Cache& cache) {
  ValueId places = s.input(9);
  if (places == kNone) {
    const ValueId first =
        s.add(Op::Squeeze, "first", {cache.first(), s.int64s("first_axes", {2, 3})});
    places = s.add(Op::Add, "query_places", {positions(s, s.size(x, 2)), first});
  }
  const auto table = [&](std::size_t input) {
    return s.add(Op::Gather, "of_places", {s.input(input), places}, {integer("axis", 0)});
  };
  return rotated(s, x, table(7), table(8), 1, s.node().int_or("rotary_interleaved", 0) != 0);
}

// Softmax with one more key of that score, or of 0, which nothing else sees.
ValueId softmax_with_sink(Speller& s, ValueId scores) {
  const DType dtype = s.value(scores).dtype;
  if (!s.has(11) && s.node().int_or("smooth_softmax", 0) != 1)
    return s.add(Op::Softmax, "weights", {scores}, {integer("axis", -1)});
  const ValueId score =
      s.has(11) ? s.reshaped("sink", s.input(11), {1, -1, 1, 1}) : s.number("sink", dtype, 0);
  const ValueId shape =
      s.sizes("sink_shape", {s.size(scores, 0), s.size(scores, 1), s.size(scores, 2), size_of(1)});
  const ValueId sink = s.add(Op::Expand, "sinks", {score, shape});
  const ValueId with = s.add(Op::Concat, "with_sink", {scores, sink}, {integer("axis", 3)});
  const ValueId weights = s.add(Op::Softmax, "all_weights", {with}, {integer("axis", -1)});
  return s.slice("weights", weights, 3, s.int64s("weights_start", {0}),
                 s.sizes("weights_end", {s.size(scores, 3)}));
}

}  // namespace

// Inputs are the queries [B, S, N * H] (or all three packed), keys, values, past keys and values
// [B, N', P, H], seqlens_k [B], total_sequence_length, cosines and sines by position, positions
// [B, S], a bias of the scores, a score for each head that takes weight, two scales, two norms.
Expected<bool> spell_group_query_attention(Speller& s) {
  for (const ValueId input : s.node().inputs)
    if (input != kNone && !s.rank(input)) return false;
  SUBBYTE_CHECK_OK(s.needs({5, 6}));
  SUBBYTE_CHECK_OK(check_forms(s));
  const std::int64_t heads = s.node().int_or("num_heads", 0);
  const std::int64_t shared = s.node().int_or("kv_num_heads", 0);
  if (heads < 1 || shared < 1)
    return fail("its num_heads is {} and its kv_num_heads {}; they must be at least 1", heads,
                shared);
  if (!s.value(s.input(6)).content)
    return refused(
        "its total_sequence_length is computed from data; it must follow from sizes or be an "
        "input");
  SUBBYTE_TRY(const Projections from, projections_of(s, heads, shared));
  Heads now{};
  SUBBYTE_TRY(now.queries, split_heads(s, from.queries, heads));
  SUBBYTE_TRY(now.keys, split_heads(s, from.keys, shared));
  SUBBYTE_TRY(now.values, split_heads(s, from.values, shared));
  if (s.has(14) && s.has(15)) {
    now.queries = head_norm(s, now.queries, s.input(14));
    now.keys = head_norm(s, now.keys, s.input(15));
  }
  Cache cache(s, now.queries);
  if (s.node().int_or("do_rotary", 0) != 0) {
    if (!s.has(7) || !s.has(8))
      return fail("its do_rotary is 1, and its cosines or sines are absent");
    now.queries = turned(s, now.queries, cache);
    now.keys = turned(s, now.keys, cache);
  }
  const Heads all{now.queries, cache.after_past(3, now.keys), cache.after_past(4, now.values)};
  const double scale = s.node().float_or("scale", 0);
  SUBBYTE_TRY(ValueId scores, attention_scores(s, all, scale));
  scores = softcapped(s, scores, s.node().float_or("softcap", 0));
  scores = added(s, "biased", scores, s.input(10));
  if (s.node().int_or("causal", 1) != 0) {
    const std::int64_t window = s.node().int_or("local_window_size", -1);
    const ValueId seen = causal_mask(s, s.size(all.queries, 2), s.size(all.keys, 2), cache.first(),
                                     cache.last(), window < 1 ? -1 : window - 1);
    const DType dtype = s.value(scores).dtype;
    scores = s.add(
        Op::Where, "causal",
        {seen, scores,
         s.number("later", dtype, dtype == DType::float16 ? -65504 : -3.4028234663852886e38)});
  } else if (s.has(3)) {
    return refused("its causal is 0 and it has a past, which is not supported");
  }
  const ValueId result = weighted_values(s, all, softmax_with_sink(s, scores));
  s.finish(0, join_heads(s, result));
  if (s.wants(1)) s.finish(1, all.keys);
  if (s.wants(2)) s.finish(2, all.values);
  return true;
}

}  // namespace subbyte
