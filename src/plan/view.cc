#include "plan/view.h"

#include <algorithm>

namespace subbyte {

std::vector<Expr> contiguous_strides(ExprPool& exprs, std::span<const Expr> shape) {
  std::vector<Expr> strides(shape.size());
  Expr stride = exprs.constant(1);
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride = exprs.mul(stride, shape[i]);
  }
  return strides;
}

Access contiguous(ExprPool& exprs, std::vector<Expr> shape) {
  auto strides = contiguous_strides(exprs, shape);
  return Access{{View{std::move(shape), std::move(strides), exprs.constant(0)}}};
}

bool is_contiguous(ExprPool& exprs, const Access& access) {
  if (access.views.size() != 1) return false;
  const View& view = access.views.front();
  if (!exprs.is(view.offset, 0)) return false;
  const auto strides = contiguous_strides(exprs, view.shape);
  for (std::size_t i = 0; i < strides.size(); ++i) {
    if (!exprs.is(view.shape[i], 1) && strides[i] != view.strides[i]) return false;
  }
  return true;
}

Access permute(const Access& access, std::span<const std::int64_t> permutation) {
  Access result = access;
  View& view = result.views.front();
  const View before = view;
  for (std::size_t i = 0; i < permutation.size(); ++i) {
    const auto from = static_cast<std::size_t>(permutation[i]);
    view.shape[i] = before.shape[from];
    view.strides[i] = before.strides[from];
  }
  return result;
}

std::vector<Run> merged_runs(ExprPool& exprs, std::span<const Expr> shape,
                             std::span<const Expr> strides) {
  std::vector<Run> runs;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (exprs.is(shape[i], 1)) continue;
    // The outer run continues into this axis when one step of it passes over the whole axis.
    if (!runs.empty() && runs.back().stride == exprs.mul(strides[i], shape[i])) {
      runs.back() = Run{exprs.mul(runs.back().size, shape[i]), strides[i]};
    } else {
      runs.push_back(Run{shape[i], strides[i]});
    }
  }
  return runs;
}

std::optional<std::vector<std::size_t>> partition_axes(ExprPool& exprs, std::span<const Expr> shape,
                                                       std::span<const Expr> sizes) {
  std::vector<std::size_t> starts;
  std::size_t axis = 0;
  const Expr one = exprs.constant(1);
  for (const Expr size : sizes) {
    starts.push_back(axis);
    Expr product = one;
    while (product != size) {
      if (axis == shape.size()) return std::nullopt;
      product = exprs.mul(product, shape[axis++]);
    }
  }
  // What remains may only be axes of size 1.
  for (; axis < shape.size(); ++axis) {
    if (!exprs.is(shape[axis], 1)) return std::nullopt;
  }
  starts.push_back(shape.size());
  return starts;
}

namespace {

// The strides of `shape` over a sequence of runs, each run split over consecutive axes; nullopt
// when an axis would have to span two runs that do not compose.
std::optional<std::vector<Expr>> split_runs(ExprPool& exprs, const std::vector<Run>& runs,
                                            std::span<const Expr> shape) {
  const Expr one = exprs.constant(1);
  std::vector<Expr> strides(shape.size(), exprs.constant(0));
  std::size_t axis = 0;
  for (const Run& run : runs) {
    const std::size_t first = axis;
    Expr product = one;
    while (product != run.size) {
      if (axis == shape.size()) return std::nullopt;
      product = exprs.mul(product, shape[axis++]);
    }
    Expr stride = run.stride;
    for (std::size_t i = axis; i-- > first;) {
      strides[i] = stride;
      stride = exprs.mul(stride, shape[i]);
    }
  }
  for (; axis < shape.size(); ++axis) {
    if (!exprs.is(shape[axis], 1)) return std::nullopt;
  }
  return strides;
}

}  // namespace

Access reshape(ExprPool& exprs, const Access& access, std::vector<Expr> shape) {
  Access result = access;
  View& view = result.views.front();
  const auto runs = merged_runs(exprs, view.shape, view.strides);
  if (auto strides = split_runs(exprs, runs, shape)) {
    view.shape = std::move(shape);
    view.strides = std::move(*strides);
    return result;
  }
  result.views.insert(result.views.begin(), contiguous(exprs, std::move(shape)).views.front());
  return result;
}

Access expand(ExprPool& exprs, const Access& access, std::vector<Expr> shape) {
  Access result = access;
  View& view = result.views.front();
  const std::size_t missing = shape.size() - view.shape.size();
  std::vector<Expr> strides(shape.size(), exprs.constant(0));
  for (std::size_t i = missing; i < shape.size(); ++i) {
    const Expr size = view.shape[i - missing];
    const Expr stride = view.strides[i - missing];
    if (size == shape[i]) {
      strides[i] = stride;
    } else if (!exprs.is(size, 1)) {
      strides[i] = exprs.select(exprs.equal(size, exprs.constant(1)), exprs.constant(0), stride);
    }
  }
  view.shape = std::move(shape);
  view.strides = std::move(strides);
  return result;
}

Access slice(ExprPool& exprs, const Access& access, std::span<const Expr> starts,
             std::span<const Expr> steps, std::vector<Expr> shape) {
  Access result = access;
  View& view = result.views.front();
  for (std::size_t i = 0; i < shape.size(); ++i) {
    view.offset = exprs.add(view.offset, exprs.mul(starts[i], view.strides[i]));
    view.strides[i] = exprs.mul(view.strides[i], steps[i]);
  }
  view.shape = std::move(shape);
  return result;
}

}  // namespace subbyte
