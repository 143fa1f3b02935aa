// A mixture of experts as two products over the weights of all of them.
#pragma once

#include <string_view>

#include "passes/spell/spell.h"

namespace subbyte {

// The weights of E experts, those of one after the other's.
struct Experts {
  std::int64_t count = 0;       // E
  std::int64_t hidden = 0;      // H, the width of a token
  std::int64_t inner = 0;       // I, what the activation gives of each expert
  std::int64_t first = 0;       // F, the columns of each expert's first product: I, or 2 * I
  ValueId in = kNone;           // [H, E * F]
  ValueId in_bias = kNone;      // [E, F]
  ValueId linear = kNone;       // [H, E * I], what the activation is multiplied by
  ValueId linear_bias = kNone;  // [E, I]
  ValueId out = kNone;          // [E * I, H]
  ValueId out_bias = kNone;     // [E, H]
};

// How many columns each expert's first product has for each that its activation gives, by the
// node's attributes; an error where they say no form that is known. `has_linear`: its factors are
// weights of their own.
Expected<std::int64_t> experts_fusion(Speller& s, bool has_linear);

// Appends what a MoE computes of tokens (input 0) and their router's logits (input 1); `mixing`,
// where there is one, weighs the experts in their place [tokens, E].
Expected<bool> finish_experts(Speller& s, const Experts& experts, ValueId mixing);

}  // namespace subbyte
