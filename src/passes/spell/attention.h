// What the operators of attention are spelled in: heads, scores, masks, their softmax, and rotary
// positions. B is the batch, N the heads, S the queries' positions, T the keys', H a head's width.
#pragma once

#include "passes/spell/spell.h"

namespace subbyte {

// Queries [B, N, S, H], keys [B, N', T, H] and values [B, N', T, H'], where N' divides N: as many
// queries' heads share one of the keys'.
struct Heads {
  ValueId queries, keys, values;
};

// [B, S, N * H] to [B, N, S, H], and back.
Expected<ValueId> split_heads(Speller& s, ValueId x, std::int64_t heads);
ValueId join_heads(Speller& s, ValueId x);

// The products of queries and keys, times `scale` or, where that is 0, 1 / sqrt(H): [B, N, S, T].
// `before` scales queries and keys by its root, as ONNX has it for numbers of 16 bits.
Expected<ValueId> attention_scores(Speller& s, Heads heads, double scale, bool before = false);
// The values weighted: [B, N, S, H'].
ValueId weighted_values(Speller& s, const Heads& heads, ValueId weights);
// cap * tanh(scores / cap); a cap of 0 is none.
ValueId softcapped(Speller& s, ValueId scores, double cap);

// 0, 1, ... `count` - 1 as int64.
ValueId positions(Speller& s, Size count);
// What each query may see: keys up to its own place, where its first is at `first` (an int64 that
// broadcasts to [B, 1, 1, 1], kNone for 0) and none is beyond `last` (the same, kNone for no
// bound), and no more than `window` before it where that is not negative.
ValueId causal_mask(Speller& s, Size queries, Size keys, ValueId first, ValueId last = kNone,
                    std::int64_t window = -1);
// a and b; kNone stands for all true.
ValueId both(Speller& s, ValueId a, ValueId b);
// 0 where `allowed` is true, `otherwise` elsewhere.
ValueId mask_bias(Speller& s, ValueId allowed, DType dtype, double otherwise);
// a + b; kNone stands for 0.
ValueId added(Speller& s, std::string_view what, ValueId a, ValueId b);

// x with its last axis turned by the angles whose cosines and sines [B, S, D / 2] are given; what
// is beyond D stays. `head_axis` is the axis of x that they lack.
ValueId rotated(Speller& s, ValueId x, ValueId cosines, ValueId sines, std::int64_t head_axis,
                bool interleaved);

}  // namespace subbyte
