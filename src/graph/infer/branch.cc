// An If whose branches stand in the same graph (graph/branches.h).
#include "base/text.h"
#include "graph/branches.h"
#include "graph/infer/node_infer.h"

namespace subbyte {

// Output 0 is what the GPU computes, where no expression says it; output 1 is the condition as an
// expression: that, or a symbol that is read back.
Expected<void> infer_decide(NodeInfer& c) {
  const Shape* shape = c.shape(0);
  c.set(0, DType::boolean, shape == nullptr ? std::nullopt : std::optional<Shape>(*shape));
  c.set(1, DType::boolean, Shape{});
  if (shape == nullptr) return {};
  SUBBYTE_CHECK_OK(c.require(
      c.exprs.equal(c.exprs.product(*shape), c.one()),
      fmt::format("its condition has shape {}; it must have one element", c.text(*shape))));
  const Content* content = c.content(0);
  Expr decided;
  if (content != nullptr && content->size() == 1) {
    c.set(0, DType::boolean, *shape, *content);
    decided = branch_taken(c.exprs, content->front(), true);
  } else {
    decided = c.result_symbol(c.graph().values[c.node.outputs[0]].name, 0, 1);
  }
  c.set(1, DType::boolean, Shape{}, Content{decided});
  return {};
}

Expected<void> infer_merge(NodeInfer& c) {
  const Content* condition = c.content(0);
  const auto known = condition == nullptr ? std::nullopt : c.exprs.value(condition->front());
  const auto copy_of = [&](std::size_t i) {
    c.set(0, c.in(i).dtype, c.in(i).shape, c.in(i).content);
  };
  if (known) {
    copy_of(*known != 0 ? 1 : 2);
    return {};
  }
  SUBBYTE_TRY(const DType dtype, c.same_dtype(1, 3));
  c.set(0, dtype, std::nullopt);
  const Shape *a = c.shape(1), *b = c.shape(2);
  if (condition == nullptr || a == nullptr || b == nullptr || a->size() != b->size()) return {};
  const auto either = [&](const std::vector<Expr>& x, const std::vector<Expr>& y) {
    std::vector<Expr> merged;
    for (std::size_t i = 0; i < x.size(); ++i)
      merged.push_back(c.exprs.select(condition->front(), x[i], y[i]));
    return merged;
  };
  const Content *x = c.content(1), *y = c.content(2);
  std::optional<Content> content;
  if (x != nullptr && y != nullptr && x->size() == y->size() && *a == *b) content = either(*x, *y);
  c.set(0, dtype, either(*a, *b), std::move(content));
  return {};
}

}  // namespace subbyte
