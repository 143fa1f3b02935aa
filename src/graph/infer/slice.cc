#include "graph/infer/slice.h"

#include <algorithm>

#include "graph/infer/node_infer.h"

namespace subbyte {
namespace {

struct SliceOperands {
  const std::vector<Expr>* starts = nullptr;
  const std::vector<Expr>* ends = nullptr;
  const std::vector<Expr>* steps = nullptr;
  const std::vector<Expr>* axes = nullptr;
};

Expr clamp(ExprPool& p, Expr e, Expr low, Expr high) { return p.min(p.max(e, low), high); }

// Exporters write "as far as it goes" as INT64_MAX, INT32_MAX and their negatives. An index on the
// GPU has 32 bits, so no position so far out is inside an axis whose size is not known.
bool is_beyond(const ExprPool& p, Expr position, Expr dim) {
  return !p.value(dim) && p.value(position).value_or(0) >= INT32_MAX;
}
bool is_before(const ExprPool& p, Expr position, Expr dim) {
  return !p.value(dim) && p.value(position).value_or(0) <= -INT32_MAX;
}

// A negative position counts from the end.
Expr from_end(ExprPool& p, Expr position, Expr dim) {
  if (is_beyond(p, position, dim)) return dim;
  if (is_before(p, position, dim)) return p.constant(-1);
  const Expr zero = p.constant(0);
  return p.select(p.less(position, zero), p.add(position, dim), position);
}

SliceRange forward(ExprPool& p, Expr start, Expr end, Expr step, Expr dim) {
  const Expr zero = p.constant(0);
  const Expr first = from_end(p, start, dim);
  const Expr last = clamp(p, from_end(p, end, dim), zero, dim);
  // last - max(first, 0); a start beyond the end leaves nothing whether it is clamped or not.
  const Expr distance = p.min(last, p.sub(last, first));
  return {
      .start = p.max(first, zero), .step = step, .length = p.max(p.ceil_div(distance, step), zero)};
}

SliceRange backward(ExprPool& p, Expr start, Expr end, Expr step, Expr dim) {
  const Expr top = p.sub(dim, p.constant(1));
  // Unlike numpy, ONNX moves a start before the first element onto it.
  const Expr first = clamp(p, from_end(p, start, dim), p.constant(0), top);
  const Expr last = p.max(from_end(p, end, dim), p.constant(-1));
  const Expr reverse = p.sub(p.constant(0), step);
  const Expr length = p.max(p.ceil_div(p.sub(first, last), reverse), p.constant(0));
  return {.start = first, .step = step, .length = length};
}

SliceRange range(ExprPool& p, Expr start, Expr end, Expr step, Expr dim) {
  if (p.lower(step) > 0) return forward(p, start, end, step, dim);
  if (p.upper(step) < 0) return backward(p, start, end, step, dim);
  // Each way divides by a step that is certain to have its sign.
  const Expr ahead = p.less(p.constant(0), step);
  const SliceRange up = forward(p, start, end, p.max(step, p.constant(1)), dim);
  const SliceRange down = backward(p, start, end, p.min(step, p.constant(-1)), dim);
  return {.start = p.select(ahead, up.start, down.start),
          .step = step,
          .length = p.select(ahead, up.length, down.length)};
}

Expected<std::vector<std::int64_t>> slice_axes(const ExprPool& exprs,
                                               const SliceOperands& operands) {
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < operands.starts->size(); ++i) {
    if (operands.axes == nullptr) {
      axes.push_back(static_cast<std::int64_t>(i));
      continue;
    }
    const auto axis = exprs.value((*operands.axes)[i]);
    if (!axis) {
      return fail(
          "its axes must be known when converting, but they depend on an input of the model");
    }
    axes.push_back(*axis);
  }
  return axes;
}

}  // namespace

Expected<std::optional<std::vector<SliceRange>>> slice_ranges(ExprPool& exprs, const Graph& graph,
                                                              const Node& node,
                                                              std::vector<Expr>* nonzero_steps) {
  const auto content = [&](std::size_t i) -> const std::vector<Expr>* {
    if (!node.has_input(i) || !graph.values[node.inputs[i]].content) return nullptr;
    return &*graph.values[node.inputs[i]].content;
  };
  const auto& shape = graph.values[node.inputs[0]].shape;
  const SliceOperands operands{content(1), content(2), content(4), content(3)};
  const bool known = shape && operands.starts != nullptr && operands.ends != nullptr &&
                     (operands.axes != nullptr || !node.has_input(3)) &&
                     (operands.steps != nullptr || !node.has_input(4));
  if (!known) return std::nullopt;
  const std::size_t count = operands.starts->size();
  for (const auto* other : {operands.ends, operands.axes, operands.steps}) {
    if (other != nullptr && other->size() != count) {
      return fail(
          "its starts have {} elements and its ends, axes or steps {}; they must have as many",
          count, other->size());
    }
  }
  if (count > shape->size()) {
    return fail("it slices {} axes of a tensor of rank {}", count, shape->size());
  }
  SUBBYTE_TRY(const auto given, slice_axes(exprs, operands));

  std::vector<SliceRange> ranges;
  for (const Expr dim : *shape) ranges.push_back({exprs.constant(0), exprs.constant(1), dim});
  const auto rank = static_cast<std::int64_t>(shape->size());
  std::vector<char> seen(shape->size(), 0);
  for (std::size_t i = 0; i < count; ++i) {
    if (given[i] < -rank || given[i] >= rank) {
      return fail("axis {} is out of range; for a tensor of rank {} it must be in [{}, {}]",
                  given[i], rank, -rank, rank - 1);
    }
    const auto axis = static_cast<std::size_t>(given[i] < 0 ? given[i] + rank : given[i]);
    if (seen[axis] != 0)
      return fail("axis {} is given twice; each axis may be given once", given[i]);
    seen[axis] = 1;
    const Expr step = operands.steps == nullptr ? exprs.constant(1) : (*operands.steps)[i];
    if (exprs.is(step, 0)) return fail("its step along axis {} is 0; it must not be", given[i]);
    if (exprs.lower(step) <= 0 && exprs.upper(step) >= 0 && nonzero_steps != nullptr) {
      nonzero_steps->push_back(step);
    }
    ranges[axis] = range(exprs, (*operands.starts)[i], (*operands.ends)[i], step, (*shape)[axis]);
  }
  return ranges;
}

Expected<void> infer_slice(NodeInfer& c) {
  std::vector<Expr> steps;
  SUBBYTE_TRY(const auto ranges, slice_ranges(c.exprs, c.graph(), c.node, &steps));
  if (!ranges) {
    c.set(0, c.in(0).dtype, std::nullopt);
    return {};
  }
  for (const Expr step : steps) {
    SUBBYTE_CHECK_OK(c.require(c.exprs.equal(c.exprs.equal(step, c.zero()), c.zero()),
                               fmt::format("its step {} must not be 0", c.exprs.text(step))));
  }
  Shape shape;
  for (const SliceRange& r : *ranges) shape.push_back(r.length);

  std::optional<Content> content;
  const auto dims = small_dims(c.exprs, shape);
  const auto from = small_dims(c.exprs, *c.shape(0));
  bool is_constant = c.content(0) != nullptr && dims && from;
  for (const SliceRange& r : *ranges) {
    is_constant = is_constant && c.exprs.value(r.start) && c.exprs.value(r.step);
  }
  if (is_constant) {
    content.emplace();
    for_each_element(*dims, [&](std::int64_t, const std::vector<std::int64_t>& at) {
      std::int64_t offset = 0;
      for (std::size_t i = 0; i < at.size(); ++i) {
        const SliceRange& r = (*ranges)[i];
        offset = offset * (*from)[i] + *c.exprs.value(r.start) + at[i] * *c.exprs.value(r.step);
      }
      content->push_back((*c.content(0))[static_cast<std::size_t>(offset)]);
    });
  }
  c.set(0, c.in(0).dtype, std::move(shape), std::move(content));
  return {};
}

}  // namespace subbyte
