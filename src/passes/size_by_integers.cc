// Sizes that floats say when the model runs, as the integers that they mean: these can be read
// back.
#include "graph/node_form.h"
#include "graph/ops.h"
#include "graph/resize_form.h"
#include "passes/canonicalize_rules.h"
#include "passes/spell/spell.h"

namespace subbyte {
namespace {

bool is_computed_float(const Speller& s, std::size_t input) {
  return s.has(input) && is_float(s.value(s.input(input)).dtype) &&
         s.constant(s.input(input)) == nullptr;
}

// Its depth is rounded to zero, as a Cast does.
Expected<bool> size_one_hot(Speller& s) {
  if (!is_computed_float(s, 1)) return false;
  Node node = s.node();
  node.inputs[1] = s.cast("depth", node.inputs[1], DType::int64);
  s.replace(std::move(node));
  return true;
}

// floor(size * scale) along each axis, in float32 as ONNX Runtime computes it. The scales stay
// beside the sizes: where an element lies follows from them, not from what is left of them in whole
// numbers.
Expected<bool> size_resize(Speller& s) {
  if (!is_computed_float(s, ResizeForm::kScales)) return false;
  SUBBYTE_TRY(const ResizeForm form, resize_form(s.node()));
  if (form.crops() || !s.rank()) return false;
  const auto axes = resized_axes(s.node(), *s.rank());
  const auto given = s.known_sizes(s.input(ResizeForm::kScales));
  if (given != Numbers{static_cast<std::int64_t>(axes.size())}) return false;
  const ValueId sizes = s.add(Op::Gather, "own_sizes",
                              {s.add(Op::Shape, "shape", {s.input(0)}),
                               s.int64s("axes", Numbers(axes.begin(), axes.end()))},
                              {integer("axis", 0)});
  const ValueId scales = s.cast("scales_32", s.input(ResizeForm::kScales), DType::float32);
  const ValueId scaled =
      s.add(Op::Mul, "scaled", {s.cast("sizes_32", sizes, DType::float32), scales});
  const ValueId wanted = s.cast("sizes", s.add(Op::Floor, "whole", {scaled}), DType::int64);
  Node node = s.node();
  node.inputs = {node.inputs[0], scales, kNone, wanted};
  remove_attribute(node, "keep_aspect_ratio_policy");  // of sizes that are asked for
  set_attribute(node, kScalesAsRoi, std::int64_t{1});
  s.replace(std::move(node));
  return true;
}

Expected<bool> by_integers(Speller& s) {
  const Node& node = s.node();
  if ((node.op != Op::OneHot && node.op != Op::Resize) || s.value(node.outputs[0]).shape)
    return false;
  return node.op == Op::OneHot ? size_one_hot(s) : size_resize(s);
}

}  // namespace

Expected<bool> size_by_integers(Model& model) { return spell_out(model, by_integers); }

}  // namespace subbyte
