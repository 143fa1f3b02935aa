#include "plan/view_steps.h"

#include "graph/ops.h"

namespace subbyte {

namespace {

// The elements of an integer operand, known as expressions since shape inference; empty where
// absent.
std::vector<Expr> contents(const Graph& graph, const Node& node, std::size_t input) {
  if (!node.has_input(input)) return {};
  return graph.values[node.inputs[input]].content.value_or(std::vector<Expr>{});
}

std::size_t normalized_axis(const ExprPool& exprs, Expr axis, std::size_t rank) {
  const std::int64_t value = exprs.value(axis).value_or(0);
  return static_cast<std::size_t>(value < 0 ? value + static_cast<std::int64_t>(rank) : value);
}

// ONNX Slice: negative starts count from the end, and a start past the end is clamped.
ViewStep slice_step(Model& model, const Graph& graph, const Node& node, const std::vector<Expr>& in,
                    const std::vector<Expr>& out) {
  ExprPool& e = model.exprs;
  const Expr zero = e.constant(0), one = e.constant(1);
  ViewStep step{ViewStep::Kind::slice,
                out,
                {},
                std::vector<Expr>(in.size(), zero),
                std::vector<Expr>(in.size(), one)};
  const auto starts = contents(graph, node, 1);
  const auto axes = contents(graph, node, 3);
  const auto steps = contents(graph, node, 4);
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::size_t axis = axes.empty() ? i : normalized_axis(e, axes[i], in.size());
    const Expr by = steps.empty() ? one : steps[i];
    const Expr size = in[axis];
    const Expr start = e.select(e.less(starts[i], zero), e.add(starts[i], size), starts[i]);
    const Expr backward = e.less(by, zero);
    const Expr last = e.sub(size, one);
    const Expr from = e.max(e.min(start, e.select(backward, last, size)), zero);
    step.starts[axis] = from;
    step.steps[axis] = by;
  }
  return step;
}

ViewStep split_step(Model& model, const Graph& graph, const Node& node, std::size_t output,
                    const std::vector<Expr>& in, const std::vector<Expr>& out) {
  ExprPool& e = model.exprs;
  ViewStep step{ViewStep::Kind::slice,
                out,
                {},
                std::vector<Expr>(in.size(), e.constant(0)),
                std::vector<Expr>(in.size(), e.constant(1))};
  const std::size_t axis = normalized_axis(e, e.constant(node.int_or("axis", 0)), in.size());
  for (std::size_t i = 0; i < output; ++i) {
    if (node.outputs[i] == kNone) continue;
    step.starts[axis] = e.add(step.starts[axis], (*graph.values[node.outputs[i]].shape)[axis]);
  }
  return step;
}

// Each axis of size d repeated r times: [.., d, ..] -> [.., 1, d, ..] -> [.., r, d, ..] -> [.., r *
// d, ..].
std::vector<ViewStep> tile_steps(Model& model, const Graph& graph, const Node& node,
                                 const std::vector<Expr>& in, const std::vector<Expr>& out) {
  const auto repeats = contents(graph, node, 1);
  std::vector<Expr> split, repeated;
  for (std::size_t i = 0; i < in.size(); ++i) {
    split.insert(split.end(), {model.exprs.constant(1), in[i]});
    repeated.insert(repeated.end(), {repeats[i], in[i]});
  }
  return {ViewStep{ViewStep::Kind::reshape, split, {}, {}, {}},
          ViewStep{ViewStep::Kind::expand, repeated, {}, {}, {}},
          ViewStep{ViewStep::Kind::reshape, out, {}, {}, {}}};
}

// Blocks of b x b places against channels: [N, C, H, W] with both sides of the block as axes of
// their own, which change places.
std::vector<ViewStep> depth_space_steps(ExprPool& e, const Node& node, const std::vector<Expr>& in,
                                        const std::vector<Expr>& out) {
  const Expr block = e.constant(node.int_or("blocksize", 1));
  const bool channels_first = node.string_or("mode", "DCR") == "CRD";
  std::vector<Expr> split;
  std::vector<std::int64_t> permutation;
  if (node.op == Op::SpaceToDepth) {
    split = {in[0], in[1], out[2], block, out[3], block};
    permutation = channels_first ? std::vector<std::int64_t>{0, 1, 3, 5, 2, 4}
                                 : std::vector<std::int64_t>{0, 3, 5, 1, 2, 4};
  } else if (channels_first) {
    split = {in[0], out[1], block, block, in[2], in[3]};
    permutation = {0, 1, 4, 2, 5, 3};
  } else {
    split = {in[0], block, block, out[1], in[2], in[3]};
    permutation = {0, 3, 4, 1, 5, 2};
  }
  return {ViewStep{ViewStep::Kind::reshape, split, {}, {}, {}},
          ViewStep{ViewStep::Kind::permute, {}, permutation, {}, {}},
          ViewStep{ViewStep::Kind::reshape, out, {}, {}, {}}};
}

}  // namespace

bool keeps_order(const Node& node, ValueId output) {
  switch (node.op) {
    case Op::Identity:
    case Op::Flatten:
    case Op::Reshape:
    case Op::Squeeze:
    case Op::Unsqueeze:
      return true;
    case Op::Dropout:
      return output == node.outputs[0];
    default:
      return false;
  }
}

bool is_dropout_mask(const Node& node, ValueId output) {
  return node.op == Op::Dropout && output != node.outputs[0];
}

std::vector<ViewStep> view_steps(Model& model, const Graph& graph, const Node& node,
                                 std::size_t output) {
  const auto& in = *graph.values[node.inputs[0]].shape;
  const auto& out = *graph.values[node.outputs[output]].shape;
  switch (node.op) {
    case Op::Transpose: {
      ViewStep step{ViewStep::Kind::permute, out, {}, {}, {}};
      if (const auto given = node.ints("perm")) {
        step.permutation.assign(given->begin(), given->end());
      } else {
        for (std::size_t i = in.size(); i-- > 0;)
          step.permutation.push_back(static_cast<std::int64_t>(i));
      }
      return {step};
    }
    case Op::Expand:
      return {ViewStep{ViewStep::Kind::expand, out, {}, {}, {}}};
    case Op::Slice:
      return {slice_step(model, graph, node, in, out)};
    case Op::Split:
      return {split_step(model, graph, node, output, in, out)};
    case Op::DepthToSpace:
    case Op::SpaceToDepth:
      return depth_space_steps(model.exprs, node, in, out);
    case Op::Tile:
      return tile_steps(model, graph, node, in, out);
    default:
      return {ViewStep{ViewStep::Kind::reshape, out, {}, {}, {}}};
  }
}

Access apply(ExprPool& exprs, const Access& access, const ViewStep& step) {
  switch (step.kind) {
    case ViewStep::Kind::permute:
      return permute(access, step.permutation);
    case ViewStep::Kind::expand:
      return expand(exprs, access, step.shape);
    case ViewStep::Kind::slice:
      return slice(exprs, access, step.starts, step.steps, step.shape);
    case ViewStep::Kind::reshape:
      break;
  }
  return reshape(exprs, access, step.shape);
}

}  // namespace subbyte
