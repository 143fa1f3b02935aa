// Split: into parts of given sizes, or into equal ones of which the last may be smaller.
#include "graph/infer/node_infer.h"
#include "graph/infer/slice.h"

namespace subbyte {

std::optional<std::vector<Expr>> split_sizes(ExprPool& exprs, const Graph& graph, const Node& node,
                                             std::size_t axis) {
  if (node.has_input(1)) {
    const Value& given = graph.values[node.inputs[1]];
    if (given.content || !given.constant) return given.content;
    // More than are kept as content.
    const auto constants = integer_values(*given.constant);
    if (!constants) return std::nullopt;
    std::vector<Expr> sizes;
    for (const std::int64_t size : *constants) sizes.push_back(exprs.constant(size));
    return sizes;
  }
  const auto& shape = graph.values[node.inputs[0]].shape;
  if (!shape || node.outputs.empty()) return std::nullopt;
  const auto count = static_cast<std::int64_t>(node.outputs.size());
  const Expr dim = (*shape)[axis];
  const Expr part = exprs.ceil_div(dim, exprs.constant(count));
  std::vector<Expr> sizes(node.outputs.size(), part);
  sizes.back() = exprs.sub(dim, exprs.mul(part, exprs.constant(count - 1)));
  return sizes;
}

Expected<void> infer_split(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  const DType dtype = c.in(0).dtype;
  for (std::size_t i = 0; i < c.node.outputs.size(); ++i) c.set(i, dtype, std::nullopt);
  if (shape == nullptr) return {};
  SUBBYTE_TRY(const std::size_t axis, c.axis(c.node.int_or("axis", 0), shape->size()));
  const auto count = static_cast<std::int64_t>(c.node.outputs.size());
  if (const std::int64_t parts = c.node.int_or("num_outputs", count); parts != count && !c.has(1)) {
    return fail("its attribute 'num_outputs' is {}, but it has {} outputs", parts, count);
  }
  const auto sizes = split_sizes(c.exprs, c.graph(), c.node, axis);
  if (!sizes) return {};
  const Expr dim = (*shape)[axis];
  if (sizes->size() != c.node.outputs.size()) {
    return fail("it has {} sizes for {} outputs; it must have one for each", sizes->size(), count);
  }
  Expr total = c.zero();
  for (std::size_t i = 0; i < sizes->size(); ++i) {
    SUBBYTE_CHECK_OK(c.size((*sizes)[i], fmt::format("the size of part {}", i)));
    total = c.exprs.add(total, (*sizes)[i]);
  }
  SUBBYTE_CHECK_OK(
      c.require(c.exprs.equal(total, dim),
                fmt::format("the sizes of its parts add up to {}; axis {} of shape {} has size {}",
                            c.exprs.text(total), axis, c.text(*shape), c.exprs.text(dim))));

  const auto from = small_dims(c.exprs, *shape);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < sizes->size(); ++i) {
    Shape part = *shape;
    part[axis] = (*sizes)[i];
    std::optional<Content> content;
    const auto dims = small_dims(c.exprs, part);
    if (c.content(0) != nullptr && from && dims) {
      content.emplace();
      for_each_element(*dims, [&](std::int64_t, const std::vector<std::int64_t>& at) {
        std::int64_t offset = 0;
        for (std::size_t k = 0; k < at.size(); ++k) {
          offset = offset * (*from)[k] + at[k] + (k == axis ? start : 0);
        }
        content->push_back((*c.content(0))[static_cast<std::size_t>(offset)]);
      });
      start += (*dims)[axis];
    }
    c.set(i, dtype, std::move(part), std::move(content));
  }
  return {};
}

}  // namespace subbyte
