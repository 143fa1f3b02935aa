// Sizes that floats say when the model runs, as the integers that they mean: these can be read
// back.
#include <algorithm>
#include <cmath>

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

// The integer that a float is: a constant, or what a Cast made one of; kNone where it may be none.
ValueId as_integer(Speller& s, std::size_t input) {
  const ValueId value = s.input(input);
  if (const Tensor* tensor = s.constant(value)) {
    float number = 0;
    if (tensor->elements() == 1) read_floats(*tensor, 0, 1, &number);
    if (tensor->elements() != 1 || number != std::floor(number) || std::abs(number) >= 0x1p24F)
      return kNone;
    const auto whole = static_cast<std::int64_t>(number);
    return s.constant("whole", make_int64_tensor({}, std::span(&whole, 1)));
  }
  const NodeId producer = s.value(value).producer;
  if (producer == kNone || s.graph().nodes[producer].op != Op::Cast) return kNone;
  const ValueId from = s.graph().nodes[producer].inputs[0];
  if (!is_integer(s.value(from).dtype)) return kNone;
  return s.cast("integer", s.reshaped("one_integer", from, {}), DType::int64);
}

// ceil((limit - start) / delta) elements. A quotient may come out on the wrong side of a whole
// number; what is left over says on which side it lies.
Expected<bool> size_range(Speller& s) {
  if (s.dtype() != DType::float32) return false;
  const ValueId whole[] = {as_integer(s, 0), as_integer(s, 1), as_integer(s, 2)};
  if (std::ranges::count(whole, kNone) == 0) {
    s.finish(Op::Cast, {s.add(Op::Range, "integers", {whole[0], whole[1], whole[2]})},
             {integer("to", static_cast<std::int64_t>(DType::float32))});
    return true;
  }
  const auto scalar = [&](std::string_view what, std::size_t i) {
    return s.reshaped(what, s.input(i), {});
  };
  const ValueId start = scalar("start", 0), delta = scalar("delta", 2);
  const ValueId span = s.add(Op::Sub, "span", {scalar("limit", 1), start});
  const ValueId near = s.add(Op::Round, "near", {s.add(Op::Div, "quotient", {span, delta})});
  const ValueId rest = s.add(Op::Sub, "rest", {span, s.add(Op::Mul, "reached", {near, delta})});
  const ValueId more =
      s.add(Op::Greater, "more", {s.add(Op::Mul, "side", {rest, delta}), s.number("even", 0)});
  const ValueId count = s.add(Op::Add, "count", {near, s.cast("one_more", more, DType::float32)});
  const ValueId size =
      s.cast("size", s.add(Op::Max, "no_less", {count, s.number("none", 0)}), DType::int64);
  const ValueId places = s.range("places", size);
  const ValueId way = s.add(Op::Mul, "way", {s.cast("place", places, DType::float32), delta});
  s.finish(Op::Add, {way, start});
  return true;
}

Expected<bool> by_integers(Speller& s) {
  const Node& node = s.node();
  if (s.value(node.outputs[0]).shape) return false;
  switch (node.op) {
    case Op::OneHot:
      return size_one_hot(s);
    case Op::Range:
      return size_range(s);
    case Op::Resize:
      return size_resize(s);
    default:
      return false;
  }
}

}  // namespace

Expected<bool> size_by_integers(Model& model) { return spell_out(model, by_integers); }

}  // namespace subbyte
