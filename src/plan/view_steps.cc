#include "plan/view_steps.h"

#include "graph/infer/slice.h"
#include "graph/node_form.h"
#include "graph/ops.h"

namespace subbyte {

namespace {

// The elements of an integer operand, known as expressions since shape inference; empty where
// absent.
std::vector<Expr> contents(const Graph& graph, const Node& node, std::size_t input) {
  if (!node.has_input(input)) return {};
  return graph.values[node.inputs[input]].content.value_or(std::vector<Expr>{});
}

ViewStep slice_step(Model& model, const Graph& graph, const Node& node,
                    const std::vector<Expr>& out) {
  ViewStep step{ViewStep::Kind::slice, out, {}, {}, {}};
  // A result whose shape is known has ranges.
  const auto ranges = slice_ranges(model.exprs, graph, node);
  for (const SliceRange& range : ranges.value().value()) {
    step.starts.push_back(range.start);
    step.steps.push_back(range.step);
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
  const std::size_t axis = axis_of(node);
  // Known sizes by themselves: a Split may have thousands of outputs.
  std::int64_t known = 0;
  for (std::size_t i = 0; i < output; ++i) {
    const Expr size = (*graph.values[node.outputs[i]].shape)[axis];
    if (const auto number = e.value(size)) {
      known += *number;
    } else {
      step.starts[axis] = e.add(step.starts[axis], size);
    }
  }
  step.starts[axis] = e.add(step.starts[axis], e.constant(known));
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
  if (node.op == Op::Dropout) return output == node.outputs[0];
  return keeps_order(node.op);
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
      const auto perm = node.ints("perm").value_or(std::span<const std::int64_t>{});
      ViewStep step{ViewStep::Kind::permute, out, {perm.begin(), perm.end()}, {}, {}};
      return {step};
    }
    case Op::Expand:
      return {ViewStep{ViewStep::Kind::expand, out, {}, {}, {}}};
    case Op::Slice:
      return {slice_step(model, graph, node, out)};
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
