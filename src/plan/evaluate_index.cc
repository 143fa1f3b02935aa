// Elements read at computed places, and elements that their place decides.
#include <fmt/core.h>

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

std::vector<std::string> Evaluator::coordinates(ValueId id, const Frame& frame,
                                                const std::vector<ViewStep>& path,
                                                std::span<const Expr> sizes) {
  ExprPool& exprs = code_.exprs();
  std::vector<Expr> given;
  for (const auto& c : frame.coordinates) given.push_back(c.size);
  const auto starts = path.empty() ? partition_axes(exprs, sizes, given) : std::nullopt;
  if (!starts) return split_index(code_, scope_, position(id, frame, path), sizes);
  std::vector<std::string> result;
  for (std::size_t j = 0; j < given.size(); ++j) {
    const std::size_t first = (*starts)[j], count = (*starts)[j + 1] - first;
    const auto part =
        split_index(code_, scope_, frame.coordinates[j].name, sizes.subspan(first, count));
    result.insert(result.end(), part.begin(), part.end());
  }
  result.resize(sizes.size(), "0u");  // of an empty frame
  return result;
}

Expected<Typed> Evaluator::gather(const Node& node, ValueId id, const Frame& frame,
                                  const std::vector<ViewStep>& path) {
  SUBBYTE_TRY(const Frame at, gathered(node, id, frame, path));
  return value(node.inputs[0], at);
}

Expected<Frame> Evaluator::gathered(const Node& node, ValueId id, const Frame& frame,
                                    const std::vector<ViewStep>& path) {
  ExprPool& exprs = code_.exprs();
  const ValueId data = node.inputs[0], indices = node.inputs[1];
  const auto& shape = *graph_.values[data].shape;
  const std::size_t axis = axis_from_front(node.int_or("axis", 0), shape.size());
  const Expr outer = exprs.product(std::span(shape).first(axis));
  const Expr inner = exprs.product(std::span(shape).subspan(axis + 1));
  const Expr count = exprs.product(*graph_.values[indices].shape);
  const auto at = coordinates(id, frame, path, std::vector<Expr>{outer, count, inner});
  SUBBYTE_TRY(const Typed index, value(indices, Frame{{{at[1], count}}}));
  const std::string row = clamped_index(code_, scope_, index, shape[axis]);
  return Frame{{{at[0], outer}, {row, shape[axis]}, {at[2], inner}}};
}

Expected<Typed> Evaluator::gather_elements(const Node& node, ValueId id, const Frame& frame,
                                           const std::vector<ViewStep>& path) {
  const auto& in = *graph_.values[node.inputs[0]].shape;
  const auto& out = *graph_.values[id].shape;
  const std::size_t axis = axis_from_front(node.int_or("axis", 0), in.size());
  std::vector<bool> changed;
  for (std::size_t i = 0; i < in.size(); ++i) changed.push_back(i == axis || in[i] != out[i]);
  const auto groups = group_axes(code_.exprs(), in, out, changed);
  SUBBYTE_TRY(const Typed index, value(node.inputs[1], frame, path));
  auto at = coordinates(id, frame, path, sizes_after(groups));
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (groups[g].changed && groups[g].axis == axis) {
      at[g] = clamped_index(code_, scope_, index, in[axis]);
    }
  }
  return value(node.inputs[0], frame_of(at, sizes_before(groups)));
}

Expected<Typed> Evaluator::gather_nd(const Node& node, ValueId id, const Frame& frame,
                                     const std::vector<ViewStep>& path) {
  ExprPool& exprs = code_.exprs();
  const auto data = std::span(*graph_.values[node.inputs[0]].shape);
  const auto indices = std::span(*graph_.values[node.inputs[1]].shape);
  const auto shared = static_cast<std::size_t>(node.int_or("batch_dims", 0));
  const auto depth = static_cast<std::size_t>(exprs.value(indices.back()).value_or(0));
  const Expr batches = exprs.product(data.first(shared));
  const Expr tuples = exprs.product(indices.subspan(shared, indices.size() - 1 - shared));
  const Expr inner = exprs.product(data.subspan(shared + depth));
  const auto at = coordinates(id, frame, path, std::vector<Expr>{batches, tuples, inner});
  Frame from{{{at[0], batches}}};
  for (std::size_t j = 0; j < depth; ++j) {
    const Frame place{{{at[0], batches}, {at[1], tuples}, {fmt::format("{}u", j), indices.back()}}};
    SUBBYTE_TRY(const Typed index, value(node.inputs[1], place));
    from.coordinates.push_back(
        {clamped_index(code_, scope_, index, data[shared + j]), data[shared + j]});
  }
  from.coordinates.push_back({at[2], inner});
  return value(node.inputs[0], from);
}

Expected<Typed> Evaluator::one_hot(const Node& node, ValueId id, const Frame& frame,
                                   const std::vector<ViewStep>& path) {
  ExprPool& exprs = code_.exprs();
  const auto out = std::span(*graph_.values[id].shape);
  const std::size_t axis = axis_from_front(node.int_or("axis", -1), out.size());
  const Expr before = exprs.product(out.first(axis)), after = exprs.product(out.subspan(axis + 1));
  const auto at = coordinates(id, frame, path, std::vector<Expr>{before, out[axis], after});
  SUBBYTE_TRY(const Typed index, value(node.inputs[0], Frame{{{at[0], before}, {at[2], after}}}));
  const Expr two = exprs.constant(2);
  SUBBYTE_TRY(const Typed off, value(node.inputs[2], Frame{{{"0u", two}}}));
  SUBBYTE_TRY(const Typed on, value(node.inputs[2], Frame{{{"1u", two}}}));
  const std::string wanted = signed_index(code_, scope_, index, out[axis]);
  return Typed{fmt::format("select({}, {}, i32({}) == {})", off.text, on.text, at[1], wanted),
               on.type};
}

Expected<Typed> Evaluator::trilu(const Node& node, ValueId id, const Frame& frame,
                                 const std::vector<ViewStep>& path) {
  const auto shape = std::span(*graph_.values[id].shape);
  const std::vector<Expr> sizes{code_.exprs().product(shape.first(shape.size() - 2)),
                                shape[shape.size() - 2], shape.back()};
  SUBBYTE_TRY(const Typed x, value(node.inputs[0], frame, path));
  Typed diagonal{"0i", GpuType::i32};
  if (node.has_input(1)) {
    SUBBYTE_TRY(diagonal, value(node.inputs[1], Frame{}));
  }
  const auto at = coordinates(id, frame, path, sizes);
  const char* kept = node.int_or("upper", 1) != 0 ? ">=" : "<=";
  return Typed{fmt::format("select({}, {}, i32({}) - i32({}) {} {})", zero_literal(x.type), x.text,
                           at[2], at[1], kept, diagonal.text),
               x.type};
}

Typed Evaluator::eye_like(const Node& node, ValueId id, const Frame& frame,
                          const std::vector<ViewStep>& path) {
  const auto at = coordinates(id, frame, path, *graph_.values[id].shape);
  const GpuType type = gpu_type(graph_.values[id].dtype).value_or(GpuType::f32);
  return Typed{fmt::format("select({}, {}, i32({}) - i32({}) == {})", zero_literal(type),
                           one_literal(type), at[1], at[0], i32_literal(node.int_or("k", 0))),
               type};
}

}  // namespace subbyte
