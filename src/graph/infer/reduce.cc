// Reductions and normalisation over axes.
#include <algorithm>

#include "graph/infer/node_infer.h"
#include "graph/ops.h"

namespace subbyte {
namespace {

std::optional<Expr> combine(ExprPool& p, Op op, Expr a, Expr b) {
  switch (op) {
    case Op::ReduceSum:
      return p.add(a, b);
    case Op::ReduceProd:
      return p.mul(a, b);
    case Op::ReduceMin:
      return p.min(a, b);
    case Op::ReduceMax:
      return p.max(a, b);
    default:
      return std::nullopt;
  }
}

std::optional<Content> reduce_content(NodeInfer& c, const std::vector<char>& reduced) {
  const DType dtype = c.in(0).dtype;
  if (c.content(0) == nullptr || (dtype != DType::int64 && dtype != DType::int32))
    return std::nullopt;
  const auto dims = small_dims(c.exprs, *c.shape(0));
  if (!dims || !combine(c.exprs, c.node.op, c.zero(), c.zero())) return std::nullopt;
  std::vector<std::int64_t> kept = *dims;
  std::int64_t count = 1;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (reduced[i] != 0) kept[i] = 1;
    count *= kept[i];
  }
  const auto strides = broadcast_strides(kept, kept.size());
  std::vector<std::optional<Expr>> sums(static_cast<std::size_t>(count));
  for_each_element(*dims, [&](std::int64_t index, const std::vector<std::int64_t>& at) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < at.size(); ++i) offset += reduced[i] != 0 ? 0 : at[i] * strides[i];
    auto& sum = sums[static_cast<std::size_t>(offset)];
    const Expr e = (*c.content(0))[static_cast<std::size_t>(index)];
    sum = sum ? combine(c.exprs, c.node.op, *sum, e) : e;
  });
  Content result;
  for (const auto& sum : sums) {
    // Of no elements there is a sum and a product, but no least or greatest.
    if (!sum && c.node.op != Op::ReduceSum && c.node.op != Op::ReduceProd) return std::nullopt;
    result.push_back(sum ? *sum : c.node.op == Op::ReduceSum ? c.zero() : c.one());
  }
  return result;
}

// The element that all of a value's are, however many there are: torch.repeat_interleave is
// exported as the greatest of a size added to as many zeros as there are items.
std::optional<Expr> uniform_element(NodeInfer& c, ValueId v, int depth = 0) {
  const Value& value = c.graph().values[v];
  if (value.content) {
    const Content& content = *value.content;
    const bool same = !content.empty() &&
                      std::ranges::all_of(content, [&](Expr e) { return e == content.front(); });
    return same ? std::optional(content.front()) : std::nullopt;
  }
  constexpr int kDeepest = 8;
  if (value.producer == kNone || depth > kDeepest || value.dtype != DType::int64)
    return std::nullopt;
  const Node& node = c.graph().nodes[value.producer];
  const auto in = [&](std::size_t i) { return uniform_element(c, node.inputs[i], depth + 1); };
  switch (node.op) {
    case Op::ConstantOfShape: {
      const Tensor* element = node.tensor("value");
      const auto number = element == nullptr ? std::nullopt : integer_values(*element);
      return number && number->size() == 1 ? std::optional(c.exprs.constant(number->front()))
                                           : std::nullopt;
    }
    case Op::Expand:
    case Op::Identity:
    case Op::Reshape:
    case Op::Unsqueeze:
      return in(0);
    case Op::Add:
    case Op::Mul: {
      const auto a = in(0), b = in(1);
      if (!a || !b) return std::nullopt;
      return node.op == Op::Add ? c.exprs.add(*a, *b) : c.exprs.mul(*a, *b);
    }
    default:
      return std::nullopt;
  }
}

Expected<std::optional<Content>> extreme_of_uniform(NodeInfer& c, const Shape& result) {
  const bool is_extreme = c.node.op == Op::ReduceMax || c.node.op == Op::ReduceMin;
  if (!is_extreme || !c.exprs.is(c.exprs.product(result), 1)) return std::optional<Content>{};
  const auto element = uniform_element(c, c.node.inputs[0]);
  if (!element) return std::optional<Content>{};
  SUBBYTE_CHECK_OK(c.require(c.exprs.less(c.zero(), c.exprs.product(*c.shape(0))),
                             "its input is empty, and of no elements there is no extreme"));
  return std::optional<Content>{Content{*element}};
}

}  // namespace

Expected<void> infer_reduce(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  const DType dtype = c.in(0).dtype;
  SUBBYTE_TRY(const auto given, c.axes(1));
  if (shape == nullptr || (c.has(1) && !given)) {
    c.set(0, dtype, std::nullopt);
    return {};
  }
  // No axes mean all of them, unless the node says that they mean none.
  const bool none_given = !given || given->empty();
  const bool all = none_given && c.node.int_or("noop_with_empty_axes", 0) == 0;
  std::vector<char> reduced(shape->size(), all ? 1 : 0);
  if (!none_given) {
    SUBBYTE_TRY(const auto axes, c.axes_of(*given, shape->size()));
    for (const std::size_t axis : axes) reduced[axis] = 1;
  }
  const bool keep = c.node.int_or("keepdims", 1) != 0;
  Shape result;
  for (std::size_t i = 0; i < shape->size(); ++i) {
    if (reduced[i] == 0) {
      result.push_back((*shape)[i]);
    } else if (keep) {
      result.push_back(c.one());
    }
  }
  auto content = reduce_content(c, reduced);
  if (!content) {
    SUBBYTE_TRY(content, extreme_of_uniform(c, result));
  }
  c.set(0, dtype, std::move(result), std::move(content));
  return {};
}

Expected<void> infer_layer_normalization(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  const DType statistics = static_cast<DType>(c.node.int_or("stash_type", 1));
  std::optional<Shape> rows;
  if (shape != nullptr) {
    SUBBYTE_TRY(const std::size_t axis, c.axis(c.node.int_or("axis", -1), shape->size()));
    const auto first = static_cast<std::ptrdiff_t>(axis);
    for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
      if (c.shape(i) == nullptr) continue;
      SUBBYTE_CHECK_OK(broadcast_into(c, *c.shape(i), Shape(shape->begin() + first, shape->end()),
                                      i == 1 ? "its scale" : "its bias"));
    }
    rows = *shape;
    std::fill(rows->begin() + first, rows->end(), c.one());
  }
  c.set(0, c.in(0).dtype, shape == nullptr ? std::nullopt : std::optional<Shape>(*shape));
  c.set(1, statistics, rows);
  c.set(2, statistics, rows);
  return {};
}

}  // namespace subbyte
