#include <cmath>
#include <numbers>

#include "graph/ops.h"
#include "passes/fuse_rules.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

// Exporters round some constants to 4 to 6 digits.
constexpr double kRounded = 1e-4;
// An error here grows with x^2, and all exporters write it in full.
constexpr double kFull = 1e-6;

// x * 0.5 * (1 + gate), in any order, or divided by 2.
Pattern half_times(const Pattern& x, const Pattern& gate) {
  const Pattern open = node(Op::Add, {gate, number(1)});
  const Pattern half = number(0.5), two = number(2);
  return either({product({x, half, open}), node(Op::Div, {product({x, open}), two}),
                 product({node(Op::Div, {x, two}), open}),
                 product({x, node(Op::Div, {open, two})})});
}

std::optional<Node> make_gelu(const Fusing& fusing, const Match& match,
                              std::string_view approximate) {
  const ValueId x = match["x"];
  if (!fusing.same_shape(x, fusing.graph.nodes[match.root].outputs[0])) return std::nullopt;
  return make_node(Op::Gelu, {x}, {{"approximate", std::string(approximate)}});
}

std::optional<Node> make_erf_gelu(const Fusing& fusing, const Match& match) {
  return make_gelu(fusing, match, "none");
}

std::optional<Node> make_tanh_gelu(const Fusing& fusing, const Match& match) {
  return make_gelu(fusing, match, "tanh");
}

// erf(x / sqrt(2))
Pattern erf_gate(const Pattern& x) {
  return node(Op::Erf, {either({node(Op::Div, {x, number(std::numbers::sqrt2, kFull)}),
                                product({x, number(std::numbers::sqrt2 / 2, kFull)})})});
}

// tanh(sqrt(2 / pi) * (x + 0.044715 x^3)), also with x factored out.
Pattern tanh_gate(const Pattern& x) {
  const Pattern outer = number(std::sqrt(2 / std::numbers::pi), kRounded);
  const Pattern inner = number(0.044715, kRounded);
  const Pattern cube = node(Op::Pow, {x, number(3)}), square = node(Op::Pow, {x, number(2)});
  const Pattern third =
      either({product({inner, cube}), product({inner, x, square}), product({inner, x, x, x})});
  const Pattern second = either({product({inner, square}), product({inner, x, x})});
  return node(Op::Tanh, {either({product({outer, node(Op::Add, {x, third})}),
                                 product({outer, x, node(Op::Add, {second, number(1)})})})});
}

}  // namespace

// Gelu with erf or in the approximation with tanh (Hendrycks and Gimpel 2016). x * sigmoid(1.702 x)
// is neither.
Expected<void> fuse_gelu(Model& model) {
  const Pattern x = any("x");
  const FusionRule rules[] = {
      {half_times(x, erf_gate(x)), make_erf_gelu},
      {half_times(x, tanh_gate(x)), make_tanh_gelu},
  };
  return fuse(model, rules);
}

}  // namespace subbyte
