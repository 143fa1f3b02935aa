// Elements read at computed places, and elements that their place decides.
#include <fmt/core.h>

#include "graph/node_form.h"
#include "plan/evaluate.h"
#include "plan/index_code.h"

namespace subbyte {

namespace {

Frame frame_of(const std::vector<std::string>& names, std::span<const Expr> sizes) {
  Frame frame;
  for (std::size_t i = 0; i < names.size(); ++i) frame.coordinates.push_back({names[i], sizes[i]});
  return frame;
}

}  // namespace

Expected<Frame> gathered(Evaluator& evaluator, const Element& element) {
  ExprPool& exprs = evaluator.code().exprs();
  const ValueId data = element.node.inputs[0], indices = element.node.inputs[1];
  const auto& shape = evaluator.shape(data);
  const std::size_t axis = axis_of(element.node);
  const Expr outer = exprs.product(std::span(shape).first(axis));
  const Expr inner = exprs.product(std::span(shape).subspan(axis + 1));
  const Expr count = exprs.product(evaluator.shape(indices));
  const auto at = evaluator.coordinates(element, std::vector<Expr>{outer, count, inner});
  SUBBYTE_TRY(const Typed index, evaluator.value(indices, Frame{{{at[1], count}}}));
  const std::string row = clamped_index(evaluator.code(), evaluator.scope(), index, shape[axis]);
  return Frame{{{at[0], outer}, {row, shape[axis]}, {at[2], inner}}};
}

Expected<Typed> element_gather(Evaluator& evaluator, const Element& element) {
  SUBBYTE_TRY(const Frame at, gathered(evaluator, element));
  return evaluator.value(element.node.inputs[0], at);
}

Expected<Typed> element_gather_elements(Evaluator& evaluator, const Element& element) {
  const auto& in = evaluator.shape(element.node.inputs[0]);
  const auto& out = evaluator.shape(element.value);
  const std::size_t axis = axis_of(element.node);
  std::vector<bool> changed;
  for (std::size_t i = 0; i < in.size(); ++i) changed.push_back(i == axis || in[i] != out[i]);
  const auto groups = group_axes(evaluator.code().exprs(), in, out, changed);
  SUBBYTE_TRY(const Typed index,
              evaluator.value(element.node.inputs[1], element.frame, element.path));
  auto at = evaluator.coordinates(element, sizes_after(groups));
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (groups[g].changed && groups[g].axis == axis) {
      at[g] = clamped_index(evaluator.code(), evaluator.scope(), index, in[axis]);
    }
  }
  return evaluator.value(element.node.inputs[0], frame_of(at, sizes_before(groups)));
}

Expected<Typed> element_gather_nd(Evaluator& evaluator, const Element& element) {
  ExprPool& exprs = evaluator.code().exprs();
  const auto data = std::span(evaluator.shape(element.node.inputs[0]));
  const auto indices = std::span(evaluator.shape(element.node.inputs[1]));
  const auto shared = static_cast<std::size_t>(element.node.int_or("batch_dims", 0));
  const auto depth = static_cast<std::size_t>(exprs.value(indices.back()).value_or(0));
  const Expr batches = exprs.product(data.first(shared));
  const Expr tuples = exprs.product(indices.subspan(shared, indices.size() - 1 - shared));
  const Expr inner = exprs.product(data.subspan(shared + depth));
  const auto at = evaluator.coordinates(element, std::vector<Expr>{batches, tuples, inner});
  Frame from{{{at[0], batches}}};
  for (std::size_t j = 0; j < depth; ++j) {
    const Frame place{{{at[0], batches}, {at[1], tuples}, {fmt::format("{}u", j), indices.back()}}};
    SUBBYTE_TRY(const Typed index, evaluator.value(element.node.inputs[1], place));
    from.coordinates.push_back(
        {clamped_index(evaluator.code(), evaluator.scope(), index, data[shared + j]),
         data[shared + j]});
  }
  from.coordinates.push_back({at[2], inner});
  return evaluator.value(element.node.inputs[0], from);
}

Expected<Typed> element_one_hot(Evaluator& evaluator, const Element& element) {
  ExprPool& exprs = evaluator.code().exprs();
  const auto out = std::span(evaluator.shape(element.value));
  const std::size_t axis = axis_of(element.node);
  const Expr before = exprs.product(out.first(axis)), after = exprs.product(out.subspan(axis + 1));
  const auto at = evaluator.coordinates(element, std::vector<Expr>{before, out[axis], after});
  SUBBYTE_TRY(const Typed index,
              evaluator.value(element.node.inputs[0], Frame{{{at[0], before}, {at[2], after}}}));
  const Expr two = exprs.constant(2);
  SUBBYTE_TRY(const Typed off, evaluator.value(element.node.inputs[2], Frame{{{"0u", two}}}));
  SUBBYTE_TRY(const Typed on, evaluator.value(element.node.inputs[2], Frame{{{"1u", two}}}));
  const std::string wanted = signed_index(evaluator.code(), evaluator.scope(), index, out[axis]);
  return Typed{fmt::format("select({}, {}, i32({}) == {})", off.text, on.text, at[1], wanted),
               on.type};
}

Expected<Typed> element_trilu(Evaluator& evaluator, const Element& element) {
  const auto shape = std::span(evaluator.shape(element.value));
  const std::vector<Expr> sizes{evaluator.code().exprs().product(shape.first(shape.size() - 2)),
                                shape[shape.size() - 2], shape.back()};
  SUBBYTE_TRY(const Typed x, evaluator.value(element.node.inputs[0], element.frame, element.path));
  Typed diagonal{"0i", GpuType::i32};
  if (const Tensor* known = element.node.has_input(1)
                                ? evaluator.graph().constant(element.node.inputs[1])
                                : nullptr) {
    // A place: any so far outside of the matrix is the same, and the literal is a clamped one.
    if (const auto k = integer_values(*known)) diagonal.text = i32_literal(k->front());
  } else if (element.node.has_input(1)) {
    SUBBYTE_TRY(diagonal, evaluator.value(element.node.inputs[1], Frame{}));
  }
  const auto at = evaluator.coordinates(element, sizes);
  const char* kept = element.node.int_or("upper", 1) != 0 ? ">=" : "<=";
  return Typed{fmt::format("select({}, {}, i32({}) - i32({}) {} {})", zero_literal(x.type), x.text,
                           at[2], at[1], kept, diagonal.text),
               x.type};
}

}  // namespace subbyte
