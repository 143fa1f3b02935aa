// Operators that carry a state from run to run: caches, convolutions, linear attention.
#include <cmath>

#include "base/text.h"
#include "graph/ops.h"
#include "passes/spell/attention.h"

namespace subbyte {

// Each row of the batch is written from its own place on along one axis: what stands at a place is
// the update's element there, or the past's.
Expected<bool> spell_tensor_scatter(Speller& s) {
  if (!s.rank() || !s.rank(s.input(1))) return false;
  const auto rank = static_cast<std::int64_t>(*s.rank());
  std::int64_t axis = s.node().int_or("axis", -2);
  if (axis < 0) axis += rank;
  if (axis < 1 || axis >= rank)
    return fail("its axis is out of range, or the batch's, for rank {}", rank);
  const std::string_view mode = s.node().string_or("mode", "linear");
  if (mode != "linear" && mode != "circular")
    return fail("its mode is {}; it must be linear or circular", quoted(mode));
  const auto at = static_cast<std::size_t>(axis);
  const ValueId past = s.input(0), update = s.input(1);
  Numbers after, beside;
  for (std::int64_t i = 0; i < rank; ++i) {
    if (i != 0) beside.push_back(i);
    if (i > axis) after.push_back(i - axis);
  }
  ValueId since = positions(s, s.size(past, at));
  if (!after.empty())
    since = s.add(Op::Unsqueeze, "places", {since, s.int64s("place_axes", after)});
  if (s.has(2)) {
    const ValueId first =
        s.add(Op::Unsqueeze, "first",
              {s.cast("starts", s.input(2), DType::int64), s.int64s("first_axes", beside)});
    since = s.add(Op::Sub, "since", {since, first});
    if (mode == "circular")
      since = s.add(Op::Mod, "since_around", {since, s.sizes("room", {s.size(past, at)})});
  }
  const ValueId count = s.sizes("count", {s.size(update, at)});
  const ValueId last = s.add(Op::Sub, "last", {count, s.int64s("one", {1})});
  const ValueId zero = s.int64s("zero", {0});
  const ValueId inside =
      s.add(Op::Max, "not_before", {s.add(Op::Min, "not_after", {since, last}), zero});
  const ValueId index = s.add(Op::Expand, "index", {inside, s.add(Op::Shape, "shape", {past})});
  const ValueId own = s.add(Op::GatherElements, "own", {update, index}, {integer("axis", axis)});
  const ValueId is_own = s.add(Op::And, "is_own",
                               {s.add(Op::GreaterOrEqual, "from_first", {since, zero}),
                                s.add(Op::LessOrEqual, "to_last", {since, last})});
  s.finish(Op::Where, {is_own, own, past});
  return true;
}

// A depthwise convolution of what is remembered and what is new.
Expected<bool> spell_causal_conv_with_state(Speller& s) {
  if (!s.rank() || !s.rank(s.input(1))) return false;
  if (*s.rank() != 3 || s.known_rank(s.input(1)) != 3)
    return fail("its input and weights must have rank 3");
  const auto channels = s.known_size(s.input(1), 0), kernel = s.known_size(s.input(1), 2);
  if (!channels || !kernel || *kernel < 1)
    return fail_as(ErrorKind::unsupported, "the size of its weights is not known when converting");
  const ValueId x = s.input(0);
  ValueId past = s.input(3);
  if (past == kNone)
    past = s.add(Op::Expand, "no_past",
                 {s.number("nothing", 0),
                  s.sizes("past_shape", {s.size(x, 0), s.size(x, 1), size_of(*kernel - 1)})});
  const ValueId all = s.add(Op::Concat, "all", {past, x}, {integer("axis", 2)});
  std::vector<ValueId> inputs{all, s.input(1)};
  if (s.has(2)) inputs.push_back(s.input(2));
  ValueId y = s.add(Op::Conv, "convolved", inputs, {integer("group", *channels)});
  const std::string_view activation = s.node().string_or("activation", "none");
  if (activation == "silu" || activation == "swish")
    y = swish(s, y, 1);
  else if (activation != "none" && !activation.empty())
    return fail("its activation is {}; it must be none, silu or swish", quoted(activation));
  s.finish(0, y);
  if (s.wants(1))
    s.finish(1, s.slice("state", all, 2, s.sizes("start", {s.size(x, 2)}),
                        s.int64s("end", {INT64_MAX})));
  return true;
}

namespace {

// One step after another, so that more of them would make a module very long.
constexpr std::int64_t kMostSteps = 64;

// [B, T, N * H] to T tensors [B, N, H].
std::vector<ValueId> steps_of(Speller& s, std::string_view what, ValueId x, std::int64_t heads,
                              std::int64_t width, std::int64_t steps) {
  const ValueId apart =
      s.reshape(what, x, {s.size(x, 0), size_of(steps), size_of(heads), size_of(width)});
  std::vector<ValueId> list;
  for (const ValueId step : s.split(what, apart, 1, Numbers(static_cast<std::size_t>(steps), 1)))
    list.push_back(s.add(Op::Squeeze, what, {step, s.int64s("time", {1})}));
  return list;
}

}  // namespace

// S = exp(decay) * S + beta * k (v - S k), o = scale * q S, without what the rule leaves out (Yang
// et al. 2024, "Gated Delta Networks"); S is [B, N, K, V].
Expected<bool> spell_linear_attention(Speller& s) {
  for (const ValueId input : s.node().inputs)
    if (input != kNone && !s.rank(input)) return false;
  SUBBYTE_CHECK_OK(s.needs({0, 1, 2}));
  const std::string_view rule = s.node().string_or("update_rule", "gated_delta");
  const bool gated = rule == "gated" || rule == "gated_delta",
             delta = rule == "delta" || rule == "gated_delta";
  if (!gated && !delta && rule != "linear")
    return fail("its update_rule is {}; it must be linear, gated, delta or gated_delta",
                quoted(rule));
  if (gated) SUBBYTE_CHECK_OK(s.needs({4}));
  if (delta) SUBBYTE_CHECK_OK(s.needs({5}));
  const std::int64_t heads = s.node().int_or("q_num_heads", 0),
                     shared = s.node().int_or("kv_num_heads", 0);
  if (*s.rank() != 3 || heads < 1 || shared < 1 || heads % shared != 0)
    return fail("its {} heads of queries must be a multiple of {} heads of keys, and its rank 3",
                heads, shared);
  const auto steps = s.known_size(s.input(0), 1), q_width = s.known_size(s.input(0), 2),
             v_width = s.known_size(s.input(2), 2);
  if (!steps || *steps < 1 || *steps > kMostSteps || !q_width || !v_width)
    return fail_as(
        ErrorKind::unsupported,
        "it has more than 64 steps, or how many is not known when converting (--dim gives sizes)");
  const std::int64_t keys = *q_width / heads, values = *v_width / shared;
  // Halves are computed in float32: a state is a sum of all steps.
  const DType dtype = s.dtype() == DType::float64 ? DType::float64 : DType::float32;
  const auto wide = [&](std::size_t input) { return s.cast("wide", s.input(input), dtype); };
  const double given = s.node().float_or("scale", 0);
  const ValueId scale =
      s.number("scale", dtype, given != 0 ? given : 1 / std::sqrt(static_cast<double>(keys)));
  const auto q = steps_of(s, "queries", wide(0), heads, keys, *steps);
  const auto k = steps_of(s, "keys", wide(1), shared, keys, *steps);
  const auto v = steps_of(s, "values", wide(2), shared, values, *steps);
  std::vector<ValueId> decay, beta;
  if (gated) {
    const auto width = s.known_size(s.input(4), 2);
    decay = steps_of(s, "decay", wide(4), shared, width == shared ? 1 : keys, *steps);
  }
  if (delta) {
    const auto width = s.known_size(s.input(5), 2);
    beta = steps_of(s, "beta", wide(5), width == 1 ? 1 : shared, 1, *steps);
  }
  const ValueId column = s.int64s("column", {3}), row = s.int64s("row", {2});
  ValueId state = s.has(3) ? s.cast("state", s.input(3), dtype)
                           : s.add(Op::Expand, "no_state",
                                   {s.number("nothing", dtype, 0),
                                    s.sizes("state_shape", {s.size(s.input(0), 0), size_of(shared),
                                                            size_of(keys), size_of(values)})});
  std::vector<ValueId> outputs;
  for (std::size_t t = 0; t < q.size(); ++t) {
    if (gated)
      state = s.add(
          Op::Mul, "decayed",
          {state, s.add(Op::Exp, "kept", {s.add(Op::Unsqueeze, "decays", {decay[t], column})})});
    const ValueId key = s.add(Op::Unsqueeze, "key", {k[t], column});
    ValueId value = s.add(Op::Unsqueeze, "value", {v[t], row});
    if (delta) {
      const ValueId seen =
          s.add(Op::MatMul, "recalled", {s.add(Op::Unsqueeze, "key_row", {k[t], row}), state});
      value = s.add(
          Op::Mul, "change",
          {s.add(Op::Sub, "error", {value, seen}), s.add(Op::Unsqueeze, "rate", {beta[t], row})});
    }
    state = s.add(Op::Add, "state", {state, s.add(Op::Mul, "outer", {key, value})});
    const ValueId grouped =
        s.reshape("query_groups", q[t],
                  {s.size(q[t], 0), size_of(shared), size_of(heads / shared), size_of(keys)});
    const ValueId read =
        s.add(Op::Mul, "scaled", {s.add(Op::MatMul, "read", {grouped, state}), scale});
    outputs.push_back(
        s.reshape("output", read, {s.size(read, 0), size_of(1), size_of(heads * values)}));
  }
  s.finish(0,
           s.cast("outputs", s.add(Op::Concat, "steps", outputs, {integer("axis", 1)}), s.dtype()));
  if (s.wants(1))
    s.finish(1, s.cast("present", state, s.has(3) ? s.value(s.input(3)).dtype : s.dtype()));
  return true;
}

}  // namespace subbyte
