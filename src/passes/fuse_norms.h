// What LayerNorm and RMSNorm have in common, as exporters spell them.
#pragma once

#include "passes/fuse_rules.h"

namespace subbyte {

// x * x, or x to the power of 2.
Pattern square(const Pattern& x);
// top / sqrt(variance) times the factors, divided before or after the multiplications.
Pattern divided(const Pattern& top, const Pattern& variance, std::vector<Pattern> factors = {});

// The node that normalizes "x" over the axes of the reduction "variance", with "epsilon" and, where
// the match has them, "scale" and "bias". Nullopt where the axes are not the last ones, where scale
// or bias do not have exactly the shape of these, or where the result has another shape than x.
std::optional<Node> make_norm(Op op, const Fusing& fusing, const Match& match);

}  // namespace subbyte
