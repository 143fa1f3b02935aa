#include "passes/spell/attention.h"

#include <cmath>

#include "graph/ops.h"

namespace subbyte {

Expected<ValueId> split_heads(Speller& s, ValueId x, std::int64_t heads) {
  const std::size_t rank = s.known_rank(x);
  if (rank != 3) return fail("an input that holds heads has rank {}; it must be 3", rank);
  const auto width = s.known_size(x, 2);
  if (heads < 1 || (width && *width % heads != 0))
    return fail("its {} heads do not divide a width of {}", heads, width.value_or(0));
  const Size each = size_of(width ? *width / heads : -1);
  const ValueId apart = s.reshape("heads", x, {s.size(x, 0), s.size(x, 1), size_of(heads), each});
  return s.transpose("heads_first", apart, {0, 2, 1, 3});
}

ValueId join_heads(Speller& s, ValueId x) {
  const ValueId back = s.transpose("heads_last", x, {0, 2, 1, 3});
  return s.reshape("joined", back,
                   {s.size(back, 0), s.size(back, 1), s.size(back, 2) * s.size(back, 3)});
}

namespace {

// Queries' heads for each of the keys' heads; an error where they are not known or do not divide.
Expected<std::int64_t> group_size(Speller& s, ValueId queries, ValueId keys) {
  const auto heads = s.known_size(queries, 1), shared = s.known_size(keys, 1);
  if (!heads && s.size(queries, 1) == s.size(keys, 1)) return 1;
  if (!heads || !shared)
    return fail_as(ErrorKind::unsupported, "the number of its heads is not known when converting");
  if (*shared < 1 || *heads % *shared != 0)
    return fail("its {} heads of keys do not divide {} heads of queries", *shared, *heads);
  return *heads / *shared;
}

ValueId scale_of(Speller& s, ValueId queries, double given) {
  const DType dtype = s.value(queries).dtype;
  if (given != 0) return s.number("scale", dtype, given);
  if (const auto width = s.known_size(queries, 3))
    return s.number("scale", dtype, 1 / std::sqrt(static_cast<double>(*width)));
  const ValueId width = s.cast("width", s.sizes("widths", {s.size(queries, 3)}), dtype);
  return s.add(Op::Reciprocal, "scale", {s.add(Op::Sqrt, "root", {width})});
}

// [B, N, S, X] to [B, N / group, group, S, X].
ValueId grouped(Speller& s, ValueId x, std::int64_t group) {
  const Size shared = size_of(s.known_size(x, 1).value_or(0) / group);
  return s.reshape("grouped", x,
                   {s.size(x, 0), shared, size_of(group), s.size(x, 2), s.size(x, 3)});
}

ValueId ungrouped(Speller& s, ValueId x) {
  return s.reshape("ungrouped", x,
                   {s.size(x, 0), s.size(x, 1) * s.size(x, 2), s.size(x, 3), s.size(x, 4)});
}

// [B, N', T, X] to [B, N', 1, T, X].
ValueId shared_by_group(Speller& s, ValueId x) {
  return s.add(Op::Unsqueeze, "shared", {x, s.int64s("shared_axis", {2})});
}

}  // namespace

Expected<ValueId> attention_scores(Speller& s, Heads heads, double scale, bool before) {
  SUBBYTE_TRY(const std::int64_t group, group_size(s, heads.queries, heads.keys));
  const ValueId factor = scale_of(s, heads.queries, scale);
  if (before) {
    const ValueId root = s.add(Op::Sqrt, "root_of_scale", {factor});
    heads.queries = s.add(Op::Mul, "scaled_queries", {heads.queries, root});
    heads.keys = s.add(Op::Mul, "scaled_keys", {heads.keys, root});
  }
  ValueId scores = kNone;
  if (group == 1) {
    const ValueId across = s.transpose("keys_across", heads.keys, {0, 1, 3, 2});
    scores = s.add(Op::MatMul, "products", {heads.queries, across});
  } else {
    const ValueId keys = shared_by_group(s, heads.keys);
    const ValueId across = s.transpose("keys_across", keys, {0, 1, 2, 4, 3});
    scores =
        ungrouped(s, s.add(Op::MatMul, "products", {grouped(s, heads.queries, group), across}));
  }
  return before ? scores : s.add(Op::Mul, "scores", {scores, factor});
}

ValueId weighted_values(Speller& s, const Heads& heads, ValueId weights) {
  const std::int64_t group = group_size(s, heads.queries, heads.values).value_or(1);
  if (group == 1) return s.add(Op::MatMul, "weighted", {weights, heads.values});
  const ValueId values = shared_by_group(s, heads.values);
  return ungrouped(s, s.add(Op::MatMul, "weighted", {grouped(s, weights, group), values}));
}

ValueId softcapped(Speller& s, ValueId scores, double cap) {
  if (cap == 0) return scores;
  const ValueId limit = s.number("cap", s.value(scores).dtype, cap);
  const ValueId part = s.add(Op::Tanh, "part", {s.add(Op::Div, "of_cap", {scores, limit})});
  return s.add(Op::Mul, "capped", {part, limit});
}

ValueId positions(Speller& s, Size count) {
  return s.range("places", s.add(Op::Squeeze, "count",
                                 {s.sizes("counts", {count}), s.int64s("count_axis", {0})}));
}

ValueId causal_mask(Speller& s, Size queries, Size keys, ValueId first, ValueId last,
                    std::int64_t window) {
  const ValueId own =
      s.add(Op::Unsqueeze, "own_column", {positions(s, queries), s.int64s("own_axis", {1})});
  ValueId place = first == kNone ? own : s.add(Op::Add, "place", {own, first});
  if (last != kNone) place = s.add(Op::Min, "valid_place", {place, last});
  const ValueId other = positions(s, keys);
  const ValueId before = s.add(Op::LessOrEqual, "before", {other, place});
  if (window < 0) return before;
  const ValueId least = s.add(Op::Sub, "least", {place, s.int64s("window", {window})});
  return both(s, before, s.add(Op::GreaterOrEqual, "near", {other, least}));
}

ValueId both(Speller& s, ValueId a, ValueId b) {
  if (a == kNone || b == kNone) return a == kNone ? b : a;
  return s.add(Op::And, "both", {a, b});
}

ValueId mask_bias(Speller& s, ValueId allowed, DType dtype, double otherwise) {
  return s.add(Op::Where, "mask_bias",
               {allowed, s.number("nothing", dtype, 0), s.number("masked", dtype, otherwise)});
}

ValueId added(Speller& s, std::string_view what, ValueId a, ValueId b) {
  if (a == kNone || b == kNone) return a == kNone ? b : a;
  return s.add(Op::Add, what, {a, b});
}

namespace {

struct Halves {
  ValueId first, second;
};

Halves pairs_of(Speller& s, ValueId x, std::int64_t half) {
  const std::size_t rank = s.known_rank(x);
  std::vector<Size> sizes;
  for (std::size_t i = 0; i + 1 < rank; ++i) sizes.push_back(s.size(x, i));
  sizes.push_back(size_of(half));
  sizes.push_back(size_of(2));
  const ValueId pairs = s.reshape("pairs", x, sizes);
  const auto axis = static_cast<std::int64_t>(rank);
  const auto split = s.split("part", pairs, axis, Numbers{1, 1});
  const ValueId list = s.int64s("pair_axis", {axis});
  return {s.add(Op::Squeeze, "even", {split[0], list}),
          s.add(Op::Squeeze, "odd", {split[1], list})};
}

ValueId joined_pairs(Speller& s, Halves halves, std::int64_t half) {
  const std::size_t rank = s.known_rank(halves.first);
  const auto axis = static_cast<std::int64_t>(rank);
  const ValueId list = s.int64s("pair_axis", {axis});
  const ValueId pairs = s.add(Op::Concat, "turned_pairs",
                              {s.add(Op::Unsqueeze, "evens", {halves.first, list}),
                               s.add(Op::Unsqueeze, "odds", {halves.second, list})},
                              {integer("axis", axis)});
  std::vector<Size> sizes;
  for (std::size_t i = 0; i + 1 < rank; ++i) sizes.push_back(s.size(halves.first, i));
  sizes.push_back(size_of(2 * half));
  return s.reshape("turned", pairs, sizes);
}

}  // namespace

ValueId rotated(Speller& s, ValueId x, ValueId cosines, ValueId sines, std::int64_t head_axis,
                bool interleaved) {
  const auto last = static_cast<std::int64_t>(s.known_rank(x)) - 1;
  const auto width = s.known_size(x, static_cast<std::size_t>(last));
  const std::size_t table_rank = s.known_rank(cosines);
  const auto half = table_rank == 0 ? std::nullopt : s.known_size(cosines, table_rank - 1);
  if (!width || !half || 2 * *half > *width || *half < 1) {
    s.refuse(
        "the width of its heads or of its cosines is not known when converting, or the "
        "cosines are wider than half of a head");
    return x;
  }
  ValueId turning = x, rest = kNone;
  if (2 * *half < *width) {
    const auto parts = s.split("rotated_part", x, last, Numbers{2 * *half, *width - 2 * *half});
    turning = parts[0];
    rest = parts[1];
  }
  Halves halves{};
  if (interleaved) {
    halves = pairs_of(s, turning, *half);
  } else {
    const auto parts = s.split("half", turning, last, Numbers{*half, *half});
    halves = {parts[0], parts[1]};
  }
  const ValueId list = s.int64s("head_axis", {head_axis});
  const ValueId c = s.add(Op::Unsqueeze, "cosines", {cosines, list});
  const ValueId d = s.add(Op::Unsqueeze, "sines", {sines, list});
  const auto times = [&](ValueId a, ValueId b) { return s.add(Op::Mul, "turn", {a, b}); };
  const Halves turned{
      s.add(Op::Sub, "real", {times(halves.first, c), times(halves.second, d)}),
      s.add(Op::Add, "imaginary", {times(halves.second, c), times(halves.first, d)})};
  std::vector<ValueId> parts;
  if (interleaved)
    parts = {joined_pairs(s, turned, *half)};
  else
    parts = {turned.first, turned.second};
  if (rest != kNone) parts.push_back(rest);
  if (parts.size() == 1) return parts.front();
  return s.add(Op::Concat, "rotated", parts, {integer("axis", last)});
}

}  // namespace subbyte
