#include "passes/fuse_norms.h"

#include <algorithm>
#include <cmath>

#include "graph/ops.h"
#include "reference/element.h"

namespace subbyte {
namespace {

// The constant [1], which broadcasts to any scale.
Tensor one(DType dtype) {
  const double value = 1;
  return reference::tensor_from(dtype, {1}, std::span(&value, 1));
}

// The first of the axes where they are the last ones of x.
std::optional<std::size_t> first_of_last(const std::vector<std::size_t>& axes, std::size_t rank) {
  if (axes.empty() || axes.size() > rank) return std::nullopt;
  for (std::size_t i = 0; i < axes.size(); ++i)
    if (axes[i] != rank - axes.size() + i) return std::nullopt;
  return axes.front();
}

// Whether the value has the dtype of x and the sizes of its last `count` axes; an absent one does.
bool has_last_axes(const Fusing& fusing, ValueId v, ValueId x, std::size_t count) {
  if (v == kNone) return true;
  const Value& value = fusing.value(v);
  const auto& whole = *fusing.value(x).shape;
  return value.dtype == fusing.value(x).dtype && value.shape && value.shape->size() == count &&
         std::equal(value.shape->rbegin(), value.shape->rend(), whole.rbegin());
}

}  // namespace

Pattern square(const Pattern& x) {
  return either({node(Op::Pow, {x, number(2)}), node(Op::Mul, {x, x})});
}

Pattern divided(const Pattern& top, const Pattern& variance, std::vector<Pattern> factors) {
  const Pattern root = either({node(Op::Sqrt, {variance}), node(Op::Pow, {variance, number(0.5)})});
  const Pattern inverse = either({node(Op::Reciprocal, {root}), node(Op::Div, {number(1), root}),
                                  node(Op::Pow, {variance, number(-0.5)})});
  const auto times = [&](std::vector<Pattern> first) {
    first.insert(first.end(), factors.begin(), factors.end());
    return product(std::move(first));
  };
  return either({times({node(Op::Div, {top, root})}), times({top, inverse}),
                 node(Op::Div, {times({top}), root})});
}

std::optional<Node> make_norm(Op op, const Fusing& fusing, const Match& match) {
  const ValueId x = match["x"], scale = match["scale"], bias = match["bias"];
  const ValueId result = fusing.graph.nodes[match.root].outputs[0];
  const auto axes = kept_axes(fusing, match["variance"]);
  if (!axes || !is_float(fusing.value(x).dtype) || !fusing.same_shape(x, result))
    return std::nullopt;
  const auto axis = first_of_last(*axes, fusing.value(x).shape->size());
  if (!axis) return std::nullopt;
  if (const ValueId mean = match["mean"]; mean != kNone && kept_axes(fusing, mean) != axes)
    return std::nullopt;
  if (!has_last_axes(fusing, scale, x, axes->size()) ||
      !has_last_axes(fusing, bias, x, axes->size()))
    return std::nullopt;
  float epsilon = 0;
  read_floats(*fusing.graph.constant(match["epsilon"]), 0, 1, &epsilon);
  if (!std::isfinite(epsilon) || epsilon < 0) return std::nullopt;

  const Node& last = fusing.graph.nodes[match.root];
  std::vector<ValueId> inputs{
      x, scale != kNone ? scale : fusing.constants.add(last, "scale", one(fusing.value(x).dtype))};
  if (bias != kNone) inputs.push_back(bias);
  return make_node(op, std::move(inputs),
                   {{"axis", static_cast<std::int64_t>(*axis)}, {"epsilon", epsilon}});
}

}  // namespace subbyte
