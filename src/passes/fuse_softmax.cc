#include "graph/node_form.h"
#include "graph/ops.h"
#include "passes/fuse_rules.h"
#include "passes/passes.h"

namespace subbyte {
namespace {

// Over the one axis that all reductions of the match go over.
std::optional<Node> make_over_axis(Op op, const Fusing& fusing, const Match& match) {
  const ValueId x = match["x"], result = fusing.graph.nodes[match.root].outputs[0];
  const auto axes = kept_axes(fusing, match["sum"]);
  if (!axes || axes->size() != 1 || !fusing.same_shape(x, result)) return std::nullopt;
  if (const ValueId largest = match["largest"];
      largest != kNone && kept_axes(fusing, largest) != axes)
    return std::nullopt;
  return make_node(op, {x}, {{"axis", static_cast<std::int64_t>(axes->front())}});
}

std::optional<Node> make_softmax(const Fusing& fusing, const Match& match) {
  return make_over_axis(Op::Softmax, fusing, match);
}

std::optional<Node> make_log_softmax(const Fusing& fusing, const Match& match) {
  return make_over_axis(Op::LogSoftmax, fusing, match);
}

std::optional<Node> make_log_of_softmax(const Fusing& fusing, const Match& match) {
  const Node& softmax = fusing.graph.nodes[fusing.value(match["softmax"]).producer];
  return make_node(Op::LogSoftmax, {match["x"]},
                   {{"axis", static_cast<std::int64_t>(axis_of(softmax))}});
}

}  // namespace

// exp(x - max(x)) / sum(exp(x - max(x))), and its logarithm as such or as
// x - max(x) - log(sum(exp(x - max(x)))) or x - logsumexp(x).
Expected<void> fuse_softmax(Model& model) {
  const Pattern x = any("x");
  const Pattern shifted = node(Op::Sub, {x, node(Op::ReduceMax, {x}, "largest")});
  const Pattern power = node(Op::Exp, {shifted});
  const Pattern sum = node(Op::ReduceSum, {power}, "sum");
  const Pattern softmax =
      either({node(Op::Div, {power, sum}), product({power, node(Op::Reciprocal, {sum})})});
  const FusionRule rules[] = {
      {node(Op::Log, {node(Op::Softmax, {x}, "softmax")}), make_log_of_softmax},
      {node(Op::Log, {softmax}), make_log_softmax},
      {node(Op::Sub, {shifted, node(Op::Log, {sum})}), make_log_softmax},
      {node(Op::Sub, {x, node(Op::ReduceLogSumExp, {x}, "sum")}), make_log_softmax},
      {softmax, make_softmax},
  };
  return fuse(model, rules);
}

}  // namespace subbyte
