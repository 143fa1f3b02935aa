#include "graph/ops.h"
#include "passes/fuse_norms.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

std::optional<Node> make_layer_norm(const Fusing& fusing, const Match& match) {
  return make_norm(Op::LayerNormalization, fusing, match);
}

}  // namespace

// (x - mean) / sqrt(variance + epsilon) * scale + bias, scale and bias each there or not: PyTorch
// before opset 17, Paddle. TensorFlow computes x * s + (bias - mean * s), s being
// rsqrt(variance + epsilon) * scale.
Expected<void> fuse_layer_norm(Model& model) {
  const Pattern x = any("x"), scale = any("scale"), bias = any("bias");
  const Pattern mean = node(Op::ReduceMean, {x}, "mean");
  const Pattern centered = node(Op::Sub, {x, mean});
  const Pattern difference = either({centered, node(Op::Sub, {mean, x})});
  const Pattern variance =
      node(Op::Add, {node(Op::ReduceMean, {square(difference)}, "variance"), scalar("epsilon")});
  const Pattern plain = divided(centered, variance);
  const Pattern scaled = divided(centered, variance, {scale});
  const FusionRule rules[] = {
      {node(Op::Add, {scaled, bias}), make_layer_norm},
      {node(Op::Add, {divided(x, variance, {scale}),
                      node(Op::Sub, {bias, divided(mean, variance, {scale})})}),
       make_layer_norm},
      {node(Op::Add, {divided(x, variance), node(Op::Sub, {bias, divided(mean, variance)})}),
       make_layer_norm},
      {node(Op::Add, {plain, bias}), make_layer_norm},
      {scaled, make_layer_norm},
      {plain, make_layer_norm},
  };
  return fuse(model, rules);
}

}  // namespace subbyte
