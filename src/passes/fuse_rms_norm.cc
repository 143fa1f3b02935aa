#include "graph/ops.h"
#include "passes/fuse_norms.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

std::optional<Node> make_rms_norm(const Fusing& fusing, const Match& match) {
  return make_norm(Op::RMSNormalization, fusing, match);
}

}  // namespace

// x / sqrt(mean(x^2) + epsilon) * scale, with a scale or without (Zhang and Sennrich 2019, "Root
// Mean Square Layer Normalization"), as T5 and Llama are exported.
Expected<void> fuse_rms_norm(Model& model) {
  const Pattern x = any("x");
  const Pattern variance =
      node(Op::Add, {node(Op::ReduceMean, {square(x)}, "variance"), scalar("epsilon")});
  const FusionRule rules[] = {
      {divided(x, variance, {any("scale")}), make_rms_norm},
      {divided(x, variance), make_rms_norm},
  };
  return fuse(model, rules);
}

}  // namespace subbyte
