// Reshape: 0 copies a size of the input, -1 stands for what is left.
#include <algorithm>

#include "graph/infer/node_infer.h"

namespace subbyte {
namespace {

struct Target {
  Shape sizes;             // -1 replaced by 1
  std::vector<Expr> left;  // by axis: 1 where the size is what is left
  Expr left_count;
};

// The target with zeros copied. A size that is an expression of dimensions is taken literally even
// where it may be 0: the tensor is then empty, and 0 is the size that says so. Only an element of
// an input, which may be any number, can mean "copy" or "what is left" when the module runs.
Expected<Target> read_target(NodeInfer& c, const Shape& from, const Content& target) {
  ExprPool& p = c.exprs;
  const bool zero_is_size = c.node.int_or("allowzero", 0) != 0;
  Target result;
  result.left_count = c.zero();
  for (std::size_t i = 0; i < target.size(); ++i) {
    Expr size = target[i];
    // A size that the input has is not negative.
    const bool is_known = std::ranges::find(from, size) != from.end();
    const bool may_be_special = p.value(size) || (p.lower(size) < 0 && !is_known);
    if (may_be_special && !zero_is_size) {
      const Expr is_zero = p.equal(size, c.zero());
      if (p.is(is_zero, 1) && i >= from.size()) {
        return fail(
            "size {} of its target is 0, which copies a size of the input; the input, of shape "
            "{}, has no axis {}",
            i, c.text(from), i);
      }
      if (i < from.size()) size = p.select(is_zero, from[i], size);
    }
    const Expr left = may_be_special ? p.equal(size, p.constant(-1)) : c.zero();
    result.left.push_back(left);
    result.left_count = p.add(result.left_count, left);
    const Expr filled = p.select(left, c.one(), size);
    SUBBYTE_TRY(const Expr checked, c.size(filled, fmt::format("size {} of its target", i)));
    result.sizes.push_back(checked);
  }
  return result;
}

}  // namespace

Expected<void> infer_reshape(NodeInfer& c) {
  const Shape* from = c.shape(0);
  const Content* content = c.content(1);
  if (from == nullptr || content == nullptr) {
    c.set(0, c.in(0).dtype, std::nullopt);
    return {};
  }
  ExprPool& p = c.exprs;
  SUBBYTE_TRY(Target target, read_target(c, *from, *content));
  SUBBYTE_CHECK_OK(c.require(p.less(target.left_count, p.constant(2)),
                             fmt::format("its target {} has more than one -1", c.text(*content))));
  const Expr total = p.product(*from);
  const Expr known = p.product(target.sizes);
  const std::string mismatch = fmt::format(
      "a tensor of shape {} cannot be reshaped to {}; the number of "
      "elements would change from {} to {}",
      c.text(*from), c.text(*content), p.text(total), p.text(known));
  if (p.is(target.left_count, 0)) {
    SUBBYTE_CHECK_OK(c.require(p.equal(total, known), mismatch));
  } else {
    if (p.is(known, 0) && p.value(target.left_count)) {
      return fail("what is left for -1 in its target {} is not defined, because another size is 0",
                  c.text(*content));
    }
    const Expr divides = p.equal(p.mod(total, known), c.zero());
    // Whether there is a -1 at all may be known only when the module runs.
    const Expr fits = p.select(target.left_count, divides, p.equal(total, known));
    SUBBYTE_CHECK_OK(c.require(
        fits, fmt::format(
                  "a tensor of shape {} cannot be reshaped to {}; {} elements cannot be divided by "
                  "{}",
                  c.text(*from), c.text(*content), p.text(total), p.text(known))));
    const Expr rest = p.floor_div(total, known);
    for (std::size_t i = 0; i < target.sizes.size(); ++i) {
      target.sizes[i] = p.select(target.left[i], rest, target.sizes[i]);
    }
  }
  const Content* elements = c.content(0);
  c.set(0, c.in(0).dtype, std::move(target.sizes),
        elements == nullptr ? std::nullopt : std::optional<Content>(*elements));
  return {};
}

}  // namespace subbyte
