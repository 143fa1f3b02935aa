// Views: how a reader finds an element of a tensor under another shape, without a copy. All sizes
// are expressions.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "graph/expr.h"

namespace subbyte {

// Element (i0, i1, ...) of `shape` is at offset + i0 * strides[0] + i1 * strides[1] + ... of what
// the view looks at. Strides may be negative (a reversed axis) or 0 (a broadcast one).
struct View {
  std::vector<Expr> shape;
  std::vector<Expr> strides;
  Expr offset;
};

// A chain of views: views.front() has the shape that the reader indexes and gives a linear index
// into the row-major order of the next view's shape, and so on; views.back() gives the address in
// the buffer. One view is enough unless a reshape does not commute with what came before it.
struct Access {
  std::vector<View> views;
  const std::vector<Expr>& shape() const { return views.front().shape; }
};

// Row-major strides of a shape.
std::vector<Expr> contiguous_strides(ExprPool& exprs, std::span<const Expr> shape);
Access contiguous(ExprPool& exprs, std::vector<Expr> shape);
// True when the reader's row-major order is the buffer's, from address 0.
bool is_contiguous(ExprPool& exprs, const Access& access);

// The access seen through one more operation. Shapes were checked by shape inference.
Access permute(const Access& access, std::span<const std::int64_t> permutation);
Access reshape(ExprPool& exprs, const Access& access, std::vector<Expr> shape);
// Broadcasting as in NumPy: axes are aligned at the end; an axis of size 1 is repeated. An axis
// that may or may not be 1 at run time gets a stride that is 0 where it is.
Access expand(ExprPool& exprs, const Access& access, std::vector<Expr> shape);
// Element i of an axis is element start + i * step of what it was; `shape` is the result's.
Access slice(ExprPool& exprs, const Access& access, std::span<const Expr> starts,
             std::span<const Expr> steps, std::vector<Expr> shape);

// A part of an index that advances by a fixed stride: `size` steps of `stride`.
struct Run {
  Expr size;
  Expr stride;
};

// Neighbouring axes of a view merged where their strides compose, axes of size 1 left out;
// outermost first.
std::vector<Run> merged_runs(ExprPool& exprs, std::span<const Expr> shape,
                             std::span<const Expr> strides);

// The axes of `shape` in consecutive groups, group j having the product sizes[j]; nullopt where
// there is no such partition. Result: the first axis of each group, and the rank at the end.
std::optional<std::vector<std::size_t>> partition_axes(ExprPool& exprs, std::span<const Expr> shape,
                                                       std::span<const Expr> sizes);

}  // namespace subbyte
